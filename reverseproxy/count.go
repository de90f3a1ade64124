package reverseproxy

import (
	"net/http"

	"chatiere/reverseproxy/traffic"
)

// count adds each request to its site's traffic, those broken off included. Requests for hosts without
// a route belong to no site and are not counted.
func count(counter *traffic.Counter, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := stateOf(w)
		defer func() {
			if x.entry != nil {
				counter.Add(x.entry.Site, x.status, x.in.Load(), x.out)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
