package reverseproxy

import (
	"net/http"

	"chatiere/reverseproxy/pages"
	"chatiere/reverseproxy/routes"
)

// indexer gives the index in force; routes.Watcher is one.
type indexer interface {
	Index() *routes.Index
}

// route finds the route of a request by its Host. The index is read once, so that a request is served
// by one table from beginning to end.
func route(table indexer, p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		index := table.Index()
		entry := index.Lookup(r.Host)
		switch {
		case index == nil:
			// No table was ever readable: the host may well have a site.
			p.Serve(w, r, pages.Starting, "")
		case entry == nil:
			p.Serve(w, r, pages.UnknownHost, "")
		default:
			x := stateOf(w)
			x.entry = entry
			// With another port, browsers would look for plain HTTP's redirect behind TLS.
			x.hsts = index.PublicPort() == 443
			next.ServeHTTP(w, r)
		}
	})
}
