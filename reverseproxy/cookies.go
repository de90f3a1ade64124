package reverseproxy

import (
	"net/http"
	"slices"
	"strings"

	"chatiere/reverseproxy/pages"
)

// ownCookies lets an upstream receive its own cookies only, where its route names them: others were set by siblings for
// the domain they share. One that comes twice may have been set by a sibling as well, and applications do not agree on
// which of the two counts, so it is answered with a page that takes both away.
func ownCookies(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := stateOf(w).entry
		if cookies, some := r.Header["Cookie"]; some && len(entry.Cookies) > 0 {
			own, twice := selectCookies(cookies, entry.Cookies)
			if twice {
				w.Header().Set("Clear-Site-Data", `"cookies"`)
				p.Serve(w, r, pages.Cookies, entry.Lang)
				return
			}
			if own == "" {
				delete(r.Header, "Cookie")
			} else {
				r.Header["Cookie"] = []string{own}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// selectCookies returns those whose names are wanted, and whether one of them comes twice.
func selectCookies(headers, wanted []string) (own string, twice bool) {
	var names, kept []string
	for _, header := range headers {
		for pair := range strings.SplitSeq(header, ";") {
			pair = trimmed(pair)
			name, _, _ := strings.Cut(pair, "=")
			name = trimmed(name)
			if !slices.ContainsFunc(wanted, func(w string) bool { return named(name, w) }) {
				continue
			}
			if slices.Contains(names, name) {
				return "", true
			}
			names, kept = append(names, name), append(kept, pair)
		}
	}
	return strings.Join(kept, "; "), false
}

// named reports whether a cookie's name is the wanted one, or begins with it where "*" stands behind it.
func named(name, wanted string) bool {
	if prefix, open := strings.CutSuffix(wanted, "*"); open {
		return strings.HasPrefix(name, prefix)
	}
	return name == wanted
}
