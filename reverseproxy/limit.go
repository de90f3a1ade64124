package reverseproxy

import (
	"net/http"

	"chatiere/reverseproxy/pages"
)

// Limits for requests to any application. FastCGI allows 64 KiB of parameters and gets the query twice; these limits fit
// every application, and everything behind the proxy accepts a little more.
const (
	maxAddress = 16 << 10
	maxHeader  = 40 << 10
	// fieldCost is the overhead of a field: lengths, and the prefix of a CGI variable.
	fieldCost = 8
)

// clearCookies is the path that deletes the cookies of a browser that has too many.
const clearCookies = pages.ClearCookies

// limitAddress rejects addresses that are too long for any application.
func limitAddress(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.RequestURI) > maxAddress {
			closeAfter(w, r)
			p.Serve(w, r, pages.LongAddress, stateOf(w).entry.Lang)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitHeader rejects requests whose header is too large for any application. Usually the cause is cookies, which the
// browser sends with every request: the page then offers to delete them.
func limitHeader(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		total, cookies := headerSize(r)
		lang := stateOf(w).entry.Lang
		switch {
		case total <= maxHeader && r.URL.Path == clearCookies:
			http.Redirect(w, r, "/", http.StatusSeeOther) // they are few already
		case total <= maxHeader:
			next.ServeHTTP(w, r)
		case cookies <= total/2:
			closeAfter(w, r)
			p.Serve(w, r, pages.LongHeader, lang)
		case r.URL.Path == clearCookies && r.Method == http.MethodPost:
			// It deletes them for all names of this domain, wherever one of them was set.
			w.Header().Set("Clear-Site-Data", `"cookies"`)
			p.Serve(w, r, pages.CookiesCleared, lang)
		default:
			closeAfter(w, r)
			p.Serve(w, r, pages.TooManyCookies, lang)
		}
	})
}

// headerSize returns the size of the address and header of r, and the part that is cookies.
func headerSize(r *http.Request) (total, cookies int) {
	total = len(r.RequestURI) + len(r.Host) + 2*fieldCost
	for name, values := range r.Header {
		size := 0
		for _, value := range values {
			size += len(name) + len(value) + fieldCost
		}
		if name == "Cookie" {
			cookies = size
		}
		total += size
	}
	return total, cookies
}

// closeAfter closes the connection after the answer: the rest of an oversized request may follow.
func closeAfter(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}
