package reverseproxy

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// accessLog writes one line for each request: no query, no cookie, no header of the client, and of its
// address only the network.
func accessLog(log *slog.Logger, clock func() time.Time, next http.Handler) http.Handler {
	if log == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, start := exchangeOf(r), clock()
		host, remote, path := r.Host, r.RemoteAddr, r.URL.Path
		defer func() {
			log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("request", x.id), slog.String("site", x.site()), slog.String("host", cut(host, 253)),
				slog.String("method", cut(r.Method, 16)), slog.String("path", cut(path, 512)), slog.String("proto", r.Proto),
				slog.Int("status", x.status), slog.Int64("in", x.in.Load()), slog.Int64("out", x.out),
				slog.Duration("took", clock().Sub(start)), slog.String("network", network(remote)), slog.Bool("whole", x.cause == nil))
		}()
		next.ServeHTTP(w, r)
	})
}

func (x *exchange) site() string {
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

// network is the client's address without what tells one household from the next.
func network(remote string) string {
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
