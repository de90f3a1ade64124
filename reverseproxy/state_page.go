package reverseproxy

import (
	"net/http"

	"chatiere/reverseproxy/pages"
	"chatiere/reverseproxy/routes"
)

// statePages answers requests for routes whose state is not serving with a page, before any upstream is used.
func statePages(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := stateOf(w).entry
		switch entry.State {
		case routes.StateServing:
			next.ServeHTTP(w, r)
		case routes.StateStarting:
			p.Serve(w, r, pages.Starting, entry.Lang)
		case routes.StateAsleep:
			p.Serve(w, r, pages.Asleep, entry.Lang)
		case routes.StateRefused:
			p.Serve(w, r, pages.Refused, entry.Lang)
		default:
			p.Serve(w, r, pages.Down, entry.Lang)
		}
	})
}
