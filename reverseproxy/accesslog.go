package reverseproxy

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"chatiere/reverseproxy/accesslog"
)

// accessLog writes one line for each request: no query, no cookie, no header of the client, and of its
// address only the network.
func accessLog(log *accesslog.Log, clock func() time.Time, next http.Handler) http.Handler {
	if log == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, start := stateOf(w), clock()
		host, remote, path := r.Host, r.RemoteAddr, r.URL.Path
		defer func() {
			now := clock()
			log.Add(&accesslog.Line{
				Time: now, Request: x.id, Site: x.site(), Host: cut(host, 253), Method: cut(r.Method, 16), Path: cut(path, 512),
				Proto: r.Proto, Status: x.status, In: x.in.Load(), Out: x.out, Took: now.Sub(start), From: network(remote),
				Whole: x.cause == nil,
			})
		}()
		next.ServeHTTP(w, r)
	})
}

func (x *requestState) site() string {
	if x.entry == nil {
		return ""
	}
	return x.entry.Site
}

func cut(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}

// network returns the network of the client's address, without the part that identifies a household, or the name of the
// caller on a socket.
func network(remote string) string {
	if strings.HasPrefix(remote, "site:") || strings.HasPrefix(remote, "peer:") {
		return remote
	}
	addr, err := netip.ParseAddr(clientAddress(remote))
	if err != nil {
		return ""
	}
	bits := 24
	if addr.Is6() {
		bits = 48
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}
