package reverseproxy

import (
	"net/http"
	"strings"

	"chatiere/reverseproxy/pages"
)

// validate rejects requests that two programs might parse differently, and that net/http lets through. net/http itself
// rejects several Hosts, contradictory lengths and line ends in values.
func validate(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect || r.Method == http.MethodTrace || !token(r.Method):
			w.Header().Set("Connection", "close")
			p.ServeStatus(w, r, pages.BadRequest, http.StatusMethodNotAllowed, "")
		case !valid(r):
			w.Header().Set("Connection", "close")
			p.Serve(w, r, pages.BadRequest, "")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func valid(r *http.Request) bool {
	if len(r.URL.Path) == 0 || r.URL.Path[0] != '/' || r.URL.Opaque != "" || r.URL.User != nil {
		return false
	}
	if strings.IndexByte(r.URL.Path, 0) >= 0 || !printable(r.URL.RawQuery) || escapesRoot(r.URL.Path) {
		return false
	}
	// HTTP/2 frames a body by itself, so a length can contradict it.
	if length, some := r.Header["Content-Length"]; some && r.ContentLength == 0 && length[0] != "0" {
		return false
	}
	// HTTP/2 may carry a Host beside the authority; net/http removes the Host of HTTP/1.1 from the header.
	if hosts, some := r.Header["Host"]; some && (len(hosts) != 1 || hosts[0] != r.Host) {
		return false
	}
	return true
}

// escapesRoot reports whether a path leads above the root, which some programs reject and others read as the root.
func escapesRoot(path string) bool {
	if !strings.Contains(path, "..") {
		return false
	}
	depth := 0
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}

// printable reports whether s is valid in a request line: in HTTP/2, a path can contain a space.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// token reports whether s may be a method: HTTP/2 accepts any text, and nginx rejects lower-case methods.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
