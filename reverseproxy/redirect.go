package reverseproxy

import (
	"net/http"

	"chatiere/reverseproxy/pages"
)

// redirect sends plain HTTP to HTTPS on the public port. It leads to hosts of the table only, so that
// it cannot be used to lead people elsewhere.
func redirect(p *pages.Pages) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := stateOf(w).entry
		target := "https://" + entry.Authority + r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		status := http.StatusPermanentRedirect // keeps method and body
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			status = http.StatusMovedPermanently
		}
		header := w.Header()
		header.Set("Location", target)
		header.Set("Cache-Control", "max-age=3600") // browsers keep a 301 for ever otherwise
		header.Set("Content-Length", "0")
		w.WriteHeader(status)
	})
}
