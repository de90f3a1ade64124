package reverseproxy

import (
	"net/http"

	"chatiere/reverseproxy/pages"
)

// What a request may bring, whatever application it goes to. FastCGI ends at 64 KiB of parameters and gets the query
// twice, so these are what every application can be given; all that stands behind the proxy takes a little more.
const (
	maxAddress = 16 << 10
	maxHeader  = 40 << 10
	// fieldCost is what a field takes beside its name and value: lengths, and the prefix of a CGI variable.
	fieldCost = 8
)

// clearCookies is where the page about too many cookies has them deleted.
const clearCookies = pages.ClearCookies

// limitAddress answers addresses that no application takes.
func limitAddress(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.RequestURI) > maxAddress {
			closeAfter(w, r)
			p.Serve(w, r, pages.LongAddress, exchangeOf(w).entry.Lang)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitHeader answers requests whose header no application takes. Most often it is cookies, and then the browser
// sends them again with whatever it asks for: only a page of ours can help.
func limitHeader(p *pages.Pages, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		total, cookies := headerSize(r)
		lang := exchangeOf(w).entry.Lang
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

// headerSize is what the address and header of r take, and what of that are cookies.
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

// closeAfter ends the connection after the answer: what made a header too large may go on.
func closeAfter(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}
