package panel_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chatiere/panel"
	"chatiere/panel/api"
	"chatiere/tenants"
)

func TestTheSessionCookieIsLockedToTheHost(t *testing.T) {
	w := newWorld(t)
	r := w.do(who{}, ask{path: "/auth/login?return=/bin"})
	q := w.issuer.Approve(t, r.location, lea)
	r = w.do(who{}, ask{path: "/auth/callback?" + q.Encode(), cookies: map[string]string{"__Host-chatiere-login": r.cookies["__Host-chatiere-login"].Value}})
	c := r.cookies["__Host-chatiere"]
	if c == nil || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || len(c.Value) < 43 {
		t.Errorf("cookie is %+v", c)
	}
	if r.location != "/bin" {
		t.Errorf("came back to %q", r.location)
	}
}

func TestSigningInLeadsNowhereElse(t *testing.T) {
	w := newWorld(t)
	for _, evil := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "/%09/evil.example"} {
		typed := url.Values{"return": {evil}}.Encode()
		if evil == "/%09/evil.example" {
			typed = "return=" + evil
		}
		r := w.do(who{}, ask{path: "/auth/login?" + typed})
		q := w.issuer.Approve(t, r.location, lea)
		r = w.do(who{}, ask{path: "/auth/callback?" + q.Encode(), cookies: map[string]string{"__Host-chatiere-login": r.cookies["__Host-chatiere-login"].Value}})
		if r.location != "/" {
			t.Errorf("return=%q leads to %q", evil, r.location)
		}
		if r := w.do(w.signIn(lea), ask{path: "/sign-in?" + typed}); r.location != "/" {
			t.Errorf("already signed in, return=%q leads to %q", evil, r.location)
		}
	}
}

func TestAnonymousPeopleComeBackToThePageTheyAskedFor(t *testing.T) {
	w := newWorld(t)
	if r := w.do(who{}, ask{path: "/bin?x=1"}); r.location != "/sign-in?return=%2Fbin%3Fx%3D1" {
		t.Errorf("sent to %q", r.location)
	}
	if r := w.do(who{cookie: "gone"}, ask{path: "/bin"}); r.cookies["__Host-chatiere"] == nil || r.cookies["__Host-chatiere"].MaxAge >= 0 {
		t.Error("the cookie of a session that is over stays in the browser")
	}
}

func TestAnAdminWithoutTheSecondFactorIsLedToIt(t *testing.T) {
	w := newWorld(t)
	r := w.do(w.signIn(weak), ask{path: "/associations"})
	contains(t, r, "/auth/step-up?return=%2Fassociations")
	if r.status != http.StatusForbidden {
		t.Errorf("answers %d", r.status)
	}
	var e api.Envelope
	r = w.do(w.signIn(weak), ask{path: "/api/v1/doctor"})
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || e.Error.Code != api.CodeStepUp || e.Error.RequestID == "" {
		t.Errorf("the API says %s", r.body)
	}
}

func TestSigningOutEndsTheSessionHereAndAtTheIssuer(t *testing.T) {
	w := newWorld(t)
	by := w.signIn(lea)
	r := w.do(by, ask{method: "POST", path: "/auth/logout"})
	if !strings.HasPrefix(r.location, w.issuer.URL+"/logout?") || !strings.Contains(r.location, "id_token_hint=") {
		t.Errorf("sent to %q", r.location)
	}
	if r := w.do(by, ask{path: "/account"}); r.status != http.StatusSeeOther {
		t.Errorf("the session still answers %d", r.status)
	}
}

func TestBackChannelLogoutNeedsNoForm(t *testing.T) {
	w := newWorld(t)
	by := w.signIn(lea)
	token := w.issuer.LogoutToken("sid-lea", "lea", nil)
	a := ask{method: "POST", path: "/auth/backchannel-logout", form: url.Values{"logout_token": {token}}, header: map[string]string{"Sec-Fetch-Site": ""}}
	if r := w.do(who{}, a); r.status != http.StatusOK || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("answers %d, %v", r.status, r.header)
	}
	if r := w.do(by, ask{path: "/account"}); r.status != http.StatusSeeOther {
		t.Errorf("the session still answers %d", r.status)
	}
}

func TestJunkFromTheIssuersAddressDoesNotHoldItsSignOutsBack(t *testing.T) {
	w := newWorld(t)
	by := w.signIn(lea)
	signal := func(token string) int {
		return w.do(who{}, ask{method: "POST", path: "/auth/backchannel-logout", form: url.Values{"logout_token": {token}}, header: map[string]string{"Sec-Fetch-Site": "", "X-Real-IP": "192.0.0.8"}}).status
	}
	answers := map[int]int{}
	for n := range 130 {
		answers[signal(strings.Repeat("x", n)+".e30.e30")]++
	}
	if answers[http.StatusBadRequest] == 0 || answers[http.StatusTooManyRequests] == 0 || len(answers) != 2 {
		t.Errorf("junk is answered by %v", answers)
	}
	if got := signal(w.issuer.LogoutToken("sid-lea", "lea", nil)); got != http.StatusOK {
		t.Errorf("the issuer's own signal is answered by %d", got)
	}
	if r := w.do(by, ask{path: "/account"}); r.status != http.StatusSeeOther {
		t.Errorf("the session still answers %d", r.status)
	}
}

func TestChangesNeedTheSessionsFormAndOurOwnPage(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	by, other := w.signIn(lea), w.signIn(ali)
	stolen := by
	stolen.csrf = other.csrf
	without := by
	without.csrf = ""
	path := "/sites/" + x.ID + "/delete"
	for name, c := range map[string]struct {
		by   who
		a    ask
		want int
	}{
		"without a token":     {without, ask{path: path}, 403},
		"somebody else's":     {stolen, ask{path: path}, 403},
		"token in address":    {without, ask{path: path + "?csrf=" + url.QueryEscape(by.csrf)}, 403},
		"from a sister site":  {by, ask{path: path, header: map[string]string{"Sec-Fetch-Site": "same-site"}}, 403},
		"from elsewhere":      {by, ask{path: path, header: map[string]string{"Sec-Fetch-Site": "cross-site"}}, 403},
		"old, says nothing":   {by, ask{path: path, header: map[string]string{"Sec-Fetch-Site": ""}}, 403},
		"old, other origin":   {by, ask{path: path, header: map[string]string{"Sec-Fetch-Site": "", "Origin": "https://evil.example"}}, 403},
		"API, without header": {without, ask{path: "/api/v1/sites/" + x.ID + "/delete", json: "{}"}, 403},
		"API, sister site":    {by, ask{path: "/api/v1/sites/" + x.ID + "/delete", json: "{}", header: map[string]string{"Sec-Fetch-Site": "same-site"}}, 403},
		"old, our origin":     {by, ask{path: path, header: map[string]string{"Sec-Fetch-Site": "", "Origin": origin}}, 303},
	} {
		if name == "old, our origin" {
			continue // last, since it changes things
		}
		c.a.method = "POST"
		if r := w.do(c.by, c.a); r.status != c.want {
			t.Errorf("%s: %d, want %d", name, r.status, c.want)
		}
	}
	last := ask{method: "POST", path: path, header: map[string]string{"Sec-Fetch-Site": "", "Origin": origin}}
	if r := w.do(by, last); r.status != http.StatusSeeOther {
		t.Errorf("an old browser on our own page: %d", r.status)
	}
}

func TestWithTheIssuerAwayPagesGoOnChangesDoNotAndLoginSaysSo(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	by := w.signIn(lea)
	w.issuer.Down(true)
	w.clock.Advance(6 * time.Minute)
	if r := w.do(by, ask{path: "/sites/" + x.ID}); r.status != http.StatusOK {
		t.Errorf("the site's page answers %d", r.status)
	}
	r := w.do(by, ask{method: "POST", path: "/sites/" + x.ID + "/delete"})
	if r.status != http.StatusServiceUnavailable {
		t.Errorf("deleting answers %d", r.status)
	}
	lacks(t, r, w.issuer.URL)
	for _, path := range []string{"/sign-in", "/auth/login", "/auth/step-up"} {
		r := w.do(who{}, ask{path: path})
		if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
			t.Errorf("%s answers %d", path, r.status)
		}
	}
	if r := w.do(by, ask{method: "POST", path: "/auth/logout"}); r.location != "/sign-in" {
		t.Errorf("signing out leads to %q", r.location)
	}
}

func TestThePanelStartsWithoutTheIssuerAndFindsItLater(t *testing.T) {
	w := stillWorld(t)
	w.issuer.Down(true)
	w.run(http.StatusServiceUnavailable)
	contains(t, w.do(who{}, ask{path: "/auth/login"}), "<h1>")
	if r := w.do(who{local: true}, ask{path: "/api/v1/account"}); r.status != http.StatusOK {
		t.Errorf("the local socket answers %d meanwhile", r.status)
	}
	w.issuer.Down(false)
	w.awaitSignIn(http.StatusOK)
	w.signIn(lea)
}

func TestASecondPanelDoesNotTakeTheSocket(t *testing.T) {
	w := newWorld(t)
	second, err := panel.New(w.options)
	must(t, err)
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another panel") {
		t.Errorf("the second one: %v", err)
	}
	w.awaitSignIn(http.StatusOK)
}

func TestBreakGlassOpensTheCoopOnceWithoutTheIssuer(t *testing.T) {
	w := newWorld(t)
	w.towns()
	w.issuer.Down(true)
	w.clock.Advance(time.Minute)
	var link api.BreakGlassLink
	r := w.do(who{local: true}, ask{method: "POST", path: "/api/v1/break-glass", json: "{}"})
	must(t, json.Unmarshal([]byte(r.body), &link))
	u, err := url.Parse(link.URL)
	must(t, err)
	for range 2 { // a preview looks, and then the person does
		contains(t, w.do(who{}, ask{path: u.RequestURI()}), `name="key"`)
	}
	a := ask{method: "POST", path: "/break-glass", form: url.Values{"key": {u.Query().Get("key")}}}
	sister := a
	sister.header = map[string]string{"Sec-Fetch-Site": "same-site"}
	if r := w.do(who{}, sister); r.status != http.StatusForbidden {
		t.Errorf("from a sister site: %d", r.status)
	}
	r = w.do(who{}, a)
	if r.status != http.StatusSeeOther || r.cookies["__Host-chatiere"] == nil {
		t.Fatalf("entering answers %d", r.status)
	}
	by := who{cookie: r.cookies["__Host-chatiere"].Value}
	by.csrf = w.formToken(by)
	if r := w.do(by, ask{method: "POST", path: "/associations", form: url.Values{"name": {"Les Iris"}}}); r.status != http.StatusSeeOther {
		t.Errorf("creating an association answers %d", r.status)
	}
	if r := w.do(who{}, a); r.status != http.StatusGone {
		t.Errorf("entering again answers %d", r.status)
	}
	if strings.Contains(w.log.String(), u.Query().Get("key")) {
		t.Error("the key is in the log")
	}
}

func TestLoginIsThrottledByAddress(t *testing.T) {
	w := newWorld(t)
	a := ask{path: "/auth/login", header: map[string]string{"X-Real-IP": "203.0.113.9"}}
	status := 0
	for range 70 {
		status = w.do(who{}, a).status
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("the seventieth try answers %d", status)
	}
	if r := w.do(who{}, ask{path: "/auth/login"}); r.status != http.StatusSeeOther {
		t.Errorf("somebody else gets %d", r.status)
	}
}

func TestTheLogHoldsNoSecrets(t *testing.T) {
	w := newWorld(t)
	by := w.signIn(lea)
	secret := w.newToken(by, "read")
	w.do(who{bearer: secret}, ask{path: "/api/v1/account"})
	w.do(by, ask{path: "/account?q=needle"})
	for _, word := range []string{by.cookie, secret, "needle", "code=", "state="} {
		if strings.Contains(w.log.String(), word) {
			t.Errorf("the log holds %q", word)
		}
	}
}

// Who goes back with the browser's button, comes late, or lets no cookie in.
func TestAnAnswerThatFitsNoSignInHelpsOn(t *testing.T) {
	w := newWorld(t)
	by := w.signIn(lea)
	begun := func(path string) (answer string, cookies map[string]string) {
		r := w.do(who{}, ask{path: path})
		return "/auth/callback?" + w.issuer.Approve(t, r.location, lea).Encode(),
			map[string]string{"__Host-chatiere-login": r.cookies["__Host-chatiere-login"].Value}
	}
	used, cookies := begun("/auth/login")
	w.do(who{}, ask{path: used, cookies: cookies})
	if r := w.do(by, ask{path: used, cookies: cookies}); r.status != http.StatusSeeOther || r.location != "/" {
		t.Errorf("back, once inside: %d to %q", r.status, r.location)
	}
	r := w.do(who{}, ask{path: used, cookies: cookies})
	contains(t, r, "pas pu se terminer", `href="/sign-in"`)
	lacks(t, r, "incomplet", "comprise")

	late, cookies := begun("/auth/login?return=/bin")
	w.clock.Advance(61 * time.Minute)
	if r := w.do(who{}, ask{path: late, cookies: cookies}); r.status != http.StatusSeeOther || r.location != "/auth/login?return=%2Fbin" {
		t.Errorf("late: %d to %q", r.status, r.location)
	}

	refused, _ := begun("/auth/login")
	r = w.do(who{}, ask{path: refused})
	if r.status != http.StatusBadRequest {
		t.Errorf("without a cookie: %d", r.status)
	}
	contains(t, r, "cookie", `href="/sign-in"`)
	lacks(t, r, "incomplet")
}
