package reverseproxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"chatiere/reverseproxy/pages"
)

// ownHeader is how the web server of a site marks an error page of its own: the application never saw the request, or
// died over it. Its value is the status.
const ownHeader = "X-Chatiere-Own"

// ownPages are what is said instead.
var ownPages = map[int]pages.Kind{
	http.StatusBadRequest:                  pages.BadRequest,
	http.StatusNotFound:                    pages.NotFound,
	http.StatusRequestTimeout:              pages.Slow,
	http.StatusRequestEntityTooLarge:       pages.TooLarge,
	http.StatusRequestURITooLong:           pages.LongAddress,
	http.StatusRequestHeaderFieldsTooLarge: pages.LongHeader,
	http.StatusInternalServerError:         pages.Down,
	http.StatusBadGateway:                  pages.Down,
	http.StatusServiceUnavailable:          pages.Full,
	http.StatusGatewayTimeout:              pages.Down,
}

// ownStatus tells the error pages of web servers from the responses of applications, by the mark or because they say
// nothing at all. It is 0 for an application's own, which are passed on as they are.
func ownStatus(resp *http.Response) int {
	mark := resp.Header.Get(ownHeader)
	delete(resp.Header, ownHeader)
	if status, err := strconv.Atoi(mark); err == nil && ownPages[status] != 0 {
		return status
	}
	if wantsPage(resp.Request) && empty(resp) && ownPages[resp.StatusCode] != 0 {
		return resp.StatusCode
	}
	return 0
}

// empty reports whether a browser would show nothing. Of an error that is the application's fault, PHP tells a type all
// the same, and the length of nothing only at the end.
func empty(resp *http.Response) bool {
	died := resp.StatusCode == http.StatusInternalServerError
	switch {
	case resp.StatusCode < http.StatusBadRequest:
		return false
	case resp.ContentLength == 0:
		return died || len(resp.Header["Content-Type"]) == 0
	}
	return died && len(resp.TransferEncoding) > 0 && endsAtOnce(resp)
}

// endsAtOnce looks at the first byte of a body, and leaves it there.
func endsAtOnce(resp *http.Response) bool {
	first := make([]byte, 1)
	n, err := io.ReadFull(resp.Body, first)
	if n == 0 && errors.Is(err, io.EOF) {
		return true
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), resp.Body), resp.Body}
	return false
}

// wantsPage reports whether somebody is going to read the answer: programs get an empty one as it is.
func wantsPage(r *http.Request) bool {
	return r.Method != http.MethodHead && strings.Contains(r.Header.Get("Accept"), "text/html")
}
