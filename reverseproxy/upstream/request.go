package upstream

import (
	"net/http"
	"strconv"
	"strings"
)

// hopByHop reports whether a header field belongs to one connection and is never forwarded in either direction. The
// caller has removed the fields that the client named in Connection.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// head renders the request line and header into buf.
func head(buf []byte, r *http.Request, upgrade string) []byte {
	buf = append(buf, r.Method...)
	buf = append(buf, ' ')
	buf = append(buf, r.URL.EscapedPath()...)
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		buf = append(append(buf, '?'), r.URL.RawQuery...)
	}
	buf = append(append(append(buf, " HTTP/1.1\r\nHost: "...), r.Host...), "\r\n"...)
	for name, values := range r.Header {
		if hopByHop(name) || name == "Content-Length" || name == "Host" {
			continue
		}
		if name == "Cookie" && len(values) > 1 {
			buf = field(buf, name, strings.Join(values, "; ")) // HTTP/2 splits it, HTTP/1.1 must not
			continue
		}
		for _, value := range values {
			buf = field(buf, name, value)
		}
	}
	if upgrade != "" {
		buf = field(field(buf, "Connection", "Upgrade"), "Upgrade", upgrade)
	}
	return append(framing(buf, r), "\r\n"...)
}

func framing(buf []byte, r *http.Request) []byte {
	switch {
	case chunked(r):
		return field(buf, "Transfer-Encoding", "chunked")
	case r.ContentLength > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		buf = append(buf, "Content-Length: "...)
		buf = strconv.AppendInt(buf, max(r.ContentLength, 0), 10)
		return append(buf, "\r\n"...)
	}
	return buf
}

func field(buf []byte, name, value string) []byte {
	buf = append(append(buf, name...), ": "...)
	return append(append(buf, value...), "\r\n"...)
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

func chunked(r *http.Request) bool { return hasBody(r) && r.ContentLength < 0 }

// repeatable reports whether r may be sent twice.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return !hasBody(r)
	}
	return false
}
