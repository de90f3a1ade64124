//go:build e2e

package e2e_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chatiere/cmd/internal/config"
	"chatiere/panel/api"
	"chatiere/tenants/identity/assertion"
)

const entryPath = "/.well-known/chatiere/entry"

// wp runs PHP inside a site's container with WordPress loaded, and returns what it printed.
func (i *instance) wp(t *testing.T, site, code string) string {
	t.Helper()
	out, _ := i.php(t, site, `require "/opt/chatiere/hooks/load.php"; `+code)
	return strings.TrimSpace(out)
}

// accounts is how many people a site knows.
func (i *instance) accounts(t *testing.T, site string) string {
	t.Helper()
	return i.wp(t, site, `echo count_users()["total_users"];`)
}

// issuer signs as the panel does, by a clock of the test's own.
func (i *instance) issuer(t *testing.T, now time.Time) *assertion.Issuer {
	t.Helper()
	secret, err := i.config.Secret(config.SecretEntryKey).Reveal()
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := assertion.New(i.config.PanelURL(), secret, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func (i *instance) assertion(t *testing.T, now time.Time, s api.Site, spoil func(*assertion.Entry)) string {
	t.Helper()
	e := assertion.Entry{
		SiteID: s.ID, Host: s.Host, Issuer: i.config.Identity.Issuer, Subject: "e2e-" + random(), Name: "Léa d’Arc", Email: random() + "@lilas.example", Role: assertion.Administrator,
	}
	if spoil != nil {
		spoil(&e)
	}
	token, err := i.issuer(t, now).Enter(e)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// enters tries an assertion on a site.
func (i *instance) enters(t *testing.T, method string, s api.Site, token string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, at(s.URL)+entryPath+"?"+url.Values{"token": {token}}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := i.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return res
}

// signedIn tells whether an answer lets its bearer in.
func signedIn(res *http.Response) bool {
	for _, c := range res.Cookies() {
		if strings.HasPrefix(c.Name, "wordpress") && len(c.Value) > 20 {
			return true
		}
	}
	return false
}

func TestAnAssertionThatIsNotForThisSiteNowLetsNobodyInAndMakesNothing(t *testing.T) {
	i := open(t)
	s, other := i.newSite(t), i.site(t, i.demoSite(t).ID)
	t.Cleanup(func() { i.gone(t, s.ID) })
	now := time.Now()
	good := i.assertion(t, now, s, nil)
	part := strings.Split(good, ".")
	coded := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	claims, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := assertion.New(i.config.PanelURL(), strings.Repeat("A", 43), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := foreign.Enter(assertion.Entry{SiteID: s.ID, Host: s.Host, Issuer: "x", Subject: "x", Name: "x", Role: assertion.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	before := i.accounts(t, s.ID)
	for what, token := range map[string]string{
		"nothing":             "",
		"no token at all":     "abc",
		"expired":             i.assertion(t, now.Add(-61*time.Second), s, nil),
		"of the future":       i.assertion(t, now.Add(5*time.Minute), s, nil),
		"of another site":     i.assertion(t, now, other, nil),
		"of another host":     i.assertion(t, now, s, func(e *assertion.Entry) { e.Host = other.Host }),
		"of another id":       i.assertion(t, now, s, func(e *assertion.Entry) { e.SiteID = other.ID }),
		"of a role unknown":   i.assertion(t, now, s, func(e *assertion.Entry) { e.Role = "owner" }),
		"altered claims":      part[0] + "." + coded(strings.Replace(string(claims), "Léa", "Ève", 1)) + "." + part[2],
		"altered signature":   part[0] + "." + part[1] + "." + coded(strings.Repeat("x", 64)),
		"without signature":   part[0] + "." + part[1] + ".",
		"algorithm none":      coded(`{"alg":"none","typ":"chatiere-entry+jwt"}`) + "." + part[1] + ".",
		"algorithm HMAC":      coded(`{"alg":"HS256","typ":"chatiere-entry+jwt"}`) + "." + part[1] + "." + part[2],
		"of another key":      forged,
		"longer than allowed": good + strings.Repeat("A", 5000),
	} {
		res := i.enters(t, http.MethodGet, s, token)
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusForbidden || signedIn(res) || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: answers %d, lets in: %v, %q", what, res.StatusCode, signedIn(res), res.Header.Get("Cache-Control"))
		}
		if !strings.Contains(string(body), "L’entrée n’a pas pu se faire") || !strings.Contains(string(body), i.config.PanelURL()+"/sites/"+s.ID) {
			t.Errorf("%s: the page does not say what to do: %.300q", what, body)
		}
	}
	if after := i.accounts(t, s.ID); after != before {
		t.Errorf("there were %s accounts and are %s", before, after)
	}
	if res := i.enters(t, http.MethodGet, s, good); res.StatusCode != http.StatusSeeOther || !signedIn(res) {
		t.Errorf("the right one, after all that: %d", res.StatusCode)
	}
}

func TestAnAssertionIsUsedOnceAlsoByTwoAtTheSameInstant(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	subject := func(e *assertion.Entry) { e.Subject, e.Email = "twin", "twin@lilas.example" }
	looked := i.assertion(t, time.Now(), s, subject)
	if res := i.enters(t, http.MethodHead, s, looked); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a look answers %d", res.StatusCode)
	}
	if res := i.enters(t, http.MethodGet, s, looked); res.StatusCode != http.StatusSeeOther {
		t.Errorf("after a look: %d", res.StatusCode)
	}
	for range 5 {
		token := i.assertion(t, time.Now(), s, subject)
		var entered, refused int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				res := i.enters(t, http.MethodGet, s, token)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case res.StatusCode == http.StatusSeeOther && signedIn(res):
					entered++
				case res.StatusCode == http.StatusForbidden && !signedIn(res):
					refused++
				}
			})
		}
		all.Wait()
		if entered != 1 || refused != 3 {
			t.Fatalf("%d entered and %d were refused, want 1 and 3", entered, refused)
		}
	}
	// First entries of one person by several links at once: one account.
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			i.enters(t, http.MethodGet, s, i.assertion(t, time.Now(), s, func(e *assertion.Entry) { e.Subject, e.Email = "many", "" }))
		})
	}
	all.Wait()
	found := i.wp(t, s.ID, `echo count(get_users(["meta_key" => "chatiere_subject", "meta_value" => "many"])), " ", count(get_users(["meta_key" => "chatiere_subject", "meta_value" => "twin"]));`)
	if found != "1 1" {
		t.Errorf("accounts of two people: %s, want one each", found)
	}
}

// The way of a manager: one click on their site's page, and WordPress greets them by name.
func TestInTheBrowserAManagerEntersTheAdministrationByOneClick(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	b := i.browse(t)
	b.signIn(i.summary.Manager)
	b.entersSite(s)
	b.capture("wordpress-entered")
	if greeting := b.text(`#wp-admin-bar-my-account .display-name`); greeting != "Maud Gestion" {
		t.Errorf("WordPress greets %q", greeting)
	}
	if log, err := tryRun("docker", "logs", i.container("proxy")); err != nil || strings.Contains(log, "token=") {
		t.Errorf("the proxy's log tells the assertion (%v)", err)
	}
	b.do("coming back by the same link", chromedp.Navigate(at(s.URL)+entryPath+"?token=x"), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	b.examine("wordpress-refused")
	b.do("going back to the panel", chromedp.Click(chromedp.CSS(`a`)), chromedp.WaitVisible(chromedp.CSS(`form[action$="/enter"]`)))
	b.do("the sign-in form, being in", chromedp.Navigate(at(s.URL)+"/wp-login.php"), css(`#wpadminbar`))
	b.do("a password that nobody has", chromedp.Navigate(at(s.URL)+"/wp-login.php?reauth=1"), chromedp.WaitVisible(chromedp.CSS(`.message a[href*="/sites/`+s.ID+`"]`)))
}

// entersSite goes from the site's page in the panel to its administration.
func (b *tab) entersSite(s api.Site) {
	b.Helper()
	b.open("/sites/" + s.ID)
	b.do("entering", chromedp.Click(chromedp.CSS(`form[action$="/enter"] button`)), chromedp.WaitVisible(chromedp.CSS(`#wpadminbar`)))
}
