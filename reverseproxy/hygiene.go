package reverseproxy

import (
	"net/http"
	"strings"

	"chatiere/reverseproxy/pages"
)

// hygiene refuses requests that two programs might read differently. net/http has refused the worst
// already (several Hosts, contradictory lengths, line ends in values); this is what it lets through.
func hygiene(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect || r.Method == http.MethodTrace || !token(r.Method):
			w.Header().Set("Connection", "close")
			p.ServeStatus(w, r, pages.BadRequest, http.StatusMethodNotAllowed, "")
		case !sound(r):
			w.Header().Set("Connection", "close")
			p.Serve(w, r, pages.BadRequest, "")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func sound(r *http.Request) bool {
	if len(r.URL.Path) == 0 || r.URL.Path[0] != '/' || r.URL.Opaque != "" || r.URL.User != nil {
		return false
	}
	if strings.IndexByte(r.URL.Path, 0) >= 0 || !printable(r.URL.RawQuery) || climbs(r.URL.Path) {
		return false
	}
	// HTTP/2 frames a body by itself, so a length can contradict it.
	if length, some := r.Header["Content-Length"]; some && r.ContentLength == 0 && length[0] != "0" {
		return false
	}
	// HTTP/2 may carry a Host beside the authority; HTTP/1.1 has it taken out of the header.
	if hosts, some := r.Header["Host"]; some && (len(hosts) != 1 || hosts[0] != r.Host) {
		return false
	}
	return true
}

// climbs reports whether a path leaves the root, which some programs refuse and others take for the root itself.
func climbs(path string) bool {
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

// printable reports whether s can stand in a request line: in HTTP/2, a space can stand in a path.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// token reports whether s may be a method: HTTP/2 takes any text, and nginx no small letters.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
