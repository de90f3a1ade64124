package reverseproxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A script that dies leaves a status and nothing to read: visitors get a page, programs what was sent.
func TestAnErrorThatSaysNothingGetsAPage(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		switch r.URL.Path {
		case "/said":
			w.WriteHeader(http.StatusInternalServerError)
			w.(http.Flusher).Flush()
			io.WriteString(w, "o")
			w.(http.Flusher).Flush()
			io.WriteString(w, "ops")
		case "/sized":
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(http.StatusInternalServerError)
		case "/none":
			w.Header().Set("X-Chatiere-Own", "404")
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "404\n")
		default:
			w.WriteHeader(http.StatusInternalServerError)
			w.(http.Flusher).Flush() // the length is not known yet
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for path, want := range map[string]struct {
			status int
			page   bool
		}{"/chunked": {500, true}, "/sized": {500, true}, "/said": {500, false}, "/none": {404, true}} {
			for _, accept := range []string{"text/html", "application/json"} {
				req, err := http.NewRequest("GET", "https://"+siteHost+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept", accept)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				page := want.page && (accept == "text/html" || path == "/none")
				if err != nil || resp.StatusCode != want.status || strings.Contains(string(body), "<main>") != page {
					t.Errorf("%s for %s: %d %.80q, %v; want a page: %v", path, accept, resp.StatusCode, body, err, page)
				}
				if path == "/said" && string(body) != "oops" {
					t.Errorf("what the application said arrives as %q", body)
				}
			}
		}
	})
}
