package pages_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"chatiere/reverseproxy/pages"
)

var all = []pages.Kind{
	pages.UnknownHost, pages.NotFound, pages.BadRequest, pages.Starting, pages.Asleep, pages.Down, pages.Refused, pages.Busy,
	pages.Full, pages.Slow, pages.TooLarge, pages.LongAddress, pages.LongHeader, pages.TooManyCookies, pages.CookiesCleared,
	pages.Cookies,
}

func serve(t *testing.T, contact pages.Contact, kind pages.Kind, method, accept, lang string) *httptest.ResponseRecorder {
	t.Helper()
	p, err := pages.New(contact)
	if err != nil {
		t.Fatal(err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/", nil)
	r.Header.Set("Accept-Language", accept)
	p.Serve(w, r, kind, lang)
	return w
}

func TestPagesStandAlone(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`)
	for _, kind := range all {
		for _, lang := range []string{"fr", "en"} {
			w := serve(t, pages.Contact{Name: "Coop des Lilas", Email: "contact@lilas.example"}, kind, "GET", lang, "")
			body := w.Body.String()
			if !strings.Contains(body, `<html lang="`+lang+`">`) || w.Header().Get("Content-Language") != lang {
				t.Errorf("%d: language is not %s", kind, lang)
			}
			if len(body) > 20<<10 || len(body) < 1<<10 {
				t.Errorf("%d: %d bytes", kind, len(body))
			}
			for _, foreign := range []string{"<script", " style=", "onclick", `src="http`, `href="http`, "@import", "url(", "ZgotmplZ"} {
				if strings.Contains(body, foreign) {
					t.Errorf("%d: holds %s", kind, foreign)
				}
			}
			sum := sha256.Sum256([]byte(style.FindStringSubmatch(body)[1]))
			policy := w.Header().Get("Content-Security-Policy")
			if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.HasPrefix(policy, "default-src 'none'") {
				t.Errorf("%d: policy %s does not fit the style", kind, policy)
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d: may be cached", kind)
			}
		}
	}
}

func TestLanguageIsTheVisitorsThenTheSites(t *testing.T) {
	for _, c := range []struct{ accept, lang, want string }{
		{"", "", "fr"}, {"", "fr", "fr"}, {"", "en", "en"}, {"", "en-GB", "en"}, {"de", "", "fr"}, {"de", "en", "en"},
		{"en", "fr", "en"}, {"fr-CA,en;q=0.8", "en", "fr"}, {"en;q=0.4, fr;q=0.3", "", "en"}, {"*", "", "fr"}, {"garbage;;;", "", "fr"},
		{strings.Repeat("en,", 200), "", "fr"},
	} {
		if got := serve(t, pages.Contact{}, pages.Down, "GET", c.accept, c.lang).Header().Get("Content-Language"); got != c.want {
			t.Errorf("%.20q on a site in %q: %s, want %s", c.accept, c.lang, got, c.want)
		}
	}
}

func TestOnlyPagesThatWaitReloadAndOnlyWhenThatIsSafe(t *testing.T) {
	for _, kind := range all {
		waits := kind == pages.Starting || kind == pages.Asleep
		if got := serve(t, pages.Contact{}, kind, "GET", "", "").Header().Get("Refresh") != ""; got != waits {
			t.Errorf("%d: reloads: %v", kind, got)
		}
		if w := serve(t, pages.Contact{}, kind, "POST", "", ""); w.Header().Get("Refresh") != "" {
			t.Errorf("%d: a form would be lost silently", kind)
		}
	}
	if w := serve(t, pages.Contact{}, pages.Down, "HEAD", "", ""); w.Body.Len() != 0 || w.Code != http.StatusServiceUnavailable {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestContactIsTextOnly(t *testing.T) {
	body := serve(t, pages.Contact{Name: `<script>alert(1)</script>`, Email: `"><img src=x>`}, pages.Refused, "GET", "", "").Body.String()
	if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
		t.Errorf("contact is markup: %s", body)
	}
	if plain := serve(t, pages.Contact{}, pages.Refused, "GET", "", "").Body.String(); strings.Contains(plain, "mailto") || strings.Contains(plain, "<footer>") {
		t.Error("page names a contact that does not exist")
	}
}
