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

// errorPageHeader is how the web server of a site marks its own error pages: the application never saw the request, or
// crashed. Its value is the status.
const errorPageHeader = "X-Chatiere-Own"

// errorPages are the pages that replace them.
var errorPages = map[int]pages.Kind{
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

// errorPageStatus returns the status of a web server's own error page, recognised by the mark or by an empty body. It is
// 0 for responses of the application, which are forwarded unchanged.
func errorPageStatus(resp *http.Response) int {
	mark := resp.Header.Get(errorPageHeader)
	delete(resp.Header, errorPageHeader)
	delete(resp.Header, tableHeader) // only the proxy sets it
	if status, err := strconv.Atoi(mark); err == nil && errorPages[status] != 0 {
		return status
	}
	if wantsPage(resp.Request) && empty(resp) && errorPages[resp.StatusCode] != 0 {
		return resp.StatusCode
	}
	return 0
}

// empty reports whether a browser would show nothing. After a crash, PHP sends a content type all the same, and no
// length.
func empty(resp *http.Response) bool {
	died := resp.StatusCode == http.StatusInternalServerError
	switch {
	case resp.StatusCode < http.StatusBadRequest:
		return false
	case resp.ContentLength == 0:
		return died || len(resp.Header["Content-Type"]) == 0
	}
	return died && len(resp.TransferEncoding) > 0 && bodyIsEmpty(resp)
}

// bodyIsEmpty peeks at the first byte of a body.
func bodyIsEmpty(resp *http.Response) bool {
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

// wantsPage reports whether a person is going to read the answer: programs get the empty one.
func wantsPage(r *http.Request) bool {
	return r.Method != http.MethodHead && strings.Contains(r.Header.Get("Accept"), "text/html")
}
