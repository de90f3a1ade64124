package auth_test

import (
	"errors"
	"maps"
	"net/url"
	"testing"
	"time"

	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
	"chatiere/tenants"
	"chatiere/tenants/identity"
	"chatiere/tenants/identity/identitytest"
)

func TestSigningInOpensASessionWithTheRightsOfTheGroups(t *testing.T) {
	p := newPorch(t)
	d := p.begin(t, auth.Start{Return: "/sites?q=1", Language: "fr"})
	a, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, lea), d.Binding))
	if err != nil {
		t.Fatal(err)
	}
	if a.ReturnTo != "/sites?q=1" {
		t.Errorf("came back to %q", a.ReturnTo)
	}
	v, err := p.resolve(t, a.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	who := v.Session.Principal()
	if who.ID != "lea" || who.Name != "Léa Martin" || who.CoopAdmin || who.SecondFact || !manager(v) || who.RoleIn("roses") != tenants.RoleMember {
		t.Errorf("principal is %+v", who)
	}
	if m, err := p.store.Person(t.Context(), "lea"); err != nil || m.Email != "lea@lilas.example" {
		t.Errorf("mirrored member is %+v, %v", m, err)
	}
	if q, _ := url.Parse(d.URL); q.Query().Get("redirect_uri") != publicURL+identity.CallbackPath || q.Query().Get("ui_locales") != "fr" {
		t.Errorf("departure is %s", d.URL)
	}
}

func TestOnlyAnAddressThatTheIssuerVouchesForCounts(t *testing.T) {
	for verified, want := range map[any]string{true: "lea@lilas.example", "true": "lea@lilas.example", false: "", "false": "", nil: "", 1: ""} {
		p := newPorch(t)
		person := maps.Clone(lea)
		person["email_verified"] = verified
		a := p.signedIn(t, person)
		v, err := p.resolve(t, a.Cookie)
		m, _ := p.store.Person(t.Context(), "lea")
		if err != nil || v.Session.Email != want || m.Email != want {
			t.Errorf("email_verified %v: the session has %q, the records %q, %v; want %q", verified, v.Session.Email, m.Email, err, want)
		}
	}
}

func TestOnlyWholeGroupPathsGiveRights(t *testing.T) {
	p := newPorch(t)
	tricks := identitytest.Person("eve", "Eve", "/assos/x/coop/admins", "coop/admins", "/coop/admins/old", "gestion", "/assos/lilas",
		"/assos/lilas/gestion/archives", "/x/assos/lilas/gestion", "/assos//gestion", "/coop/adminsx")
	v, err := p.resolve(t, p.signedIn(t, tricks).Cookie)
	if err != nil {
		t.Fatal(err)
	}
	if who := v.Session.Principal(); who.CoopAdmin || len(who.Memberships) != 0 {
		t.Errorf("tricky groups gave %+v", who)
	}
}

func TestFaultyAnswersOpenNoSession(t *testing.T) {
	cases := map[string]struct {
		before func(p *porch)
		spoil  func(a *auth.Callback)
		want   error
	}{
		"wrong state":            {spoil: func(a *auth.Callback) { a.State += "x" }, want: auth.ErrFlow},
		"no state":               {spoil: func(a *auth.Callback) { a.State = "" }, want: auth.ErrFlow},
		"no cookie":              {spoil: func(a *auth.Callback) { a.Binding = "" }, want: auth.ErrFlow},
		"another browser":        {spoil: func(a *auth.Callback) { a.Binding = "someone-else" }, want: auth.ErrFlow},
		"another issuer":         {spoil: func(a *auth.Callback) { a.Issuer = "https://evil.example" }, want: auth.ErrFlow},
		"no issuer":              {spoil: func(a *auth.Callback) { a.Issuer = "" }, want: auth.ErrFlow},
		"no code":                {spoil: func(a *auth.Callback) { a.Code = "" }, want: auth.ErrFlow},
		"made-up code":           {spoil: func(a *auth.Callback) { a.Code = "guess" }, want: auth.ErrFlow},
		"refused by the person":  {spoil: func(a *auth.Callback) { a.Error = "access_denied" }, want: auth.ErrRefused},
		"issuer ill":             {spoil: func(a *auth.Callback) { a.Error = "temporarily_unavailable" }, want: tenants.ErrUnavailable},
		"too late":               {before: func(p *porch) { p.clock.Advance(time.Hour) }, want: auth.ErrFlow},
		"issuer gone":            {before: func(p *porch) { p.issuer.Down(true) }, want: tenants.ErrUnavailable},
		"wrong nonce":            {before: spoiled("nonce", "other"), want: auth.ErrFlow},
		"no nonce":               {before: spoiled("nonce", ""), want: auth.ErrFlow},
		"token of other issuer":  {before: spoiled("iss", "https://evil.example"), want: auth.ErrFlow},
		"token for other client": {before: spoiled("aud", "other"), want: auth.ErrFlow},
		"token for several, not us by azp": {before: func(p *porch) {
			p.issuer.Spoil(func(c identitytest.Claims) { c["aud"], c["azp"] = []string{"panel", "other"}, "other" })
		}, want: auth.ErrFlow},
		"expired token":     {before: spoiled("exp", 1), want: auth.ErrFlow},
		"token of nobody":   {before: spoiled("sub", ""), want: auth.ErrFlow},
		"wrong at_hash":     {before: spoiled("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), want: auth.ErrFlow},
		"groups not a list": {before: spoiled("groups", "/coop/admins"), want: auth.ErrFlow},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPorch(t)
			d := p.begin(t, auth.Start{})
			a := answer(p.issuer.Approve(t, d.URL, lea), d.Binding)
			if c.before != nil {
				c.before(p)
			}
			if c.spoil != nil {
				c.spoil(&a)
			}
			if got, err := p.signIn.Finish(t.Context(), a); !errors.Is(err, c.want) || got.Cookie != "" {
				t.Errorf("finished with %v (cookie %q), want %v", err, got.Cookie, c.want)
			}
		})
	}
}

func spoiled(claim string, value any) func(*porch) {
	return func(p *porch) { p.issuer.Spoil(func(c identitytest.Claims) { c[claim] = value }) }
}

func TestACallbackWorksOnce(t *testing.T) {
	p := newPorch(t)
	d := p.begin(t, auth.Start{})
	a := answer(p.issuer.Approve(t, d.URL, lea), d.Binding)
	if _, err := p.signIn.Finish(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := p.signIn.Finish(t.Context(), a); !errors.Is(err, auth.ErrFlow) {
		t.Errorf("the second time: %v, want %v", err, auth.ErrFlow)
	}
}

func TestAFaultyAnswerUsesTheSignInUp(t *testing.T) {
	p := newPorch(t)
	d := p.begin(t, auth.Start{})
	good := answer(p.issuer.Approve(t, d.URL, lea), d.Binding)
	bad := good
	bad.Binding = "someone-else"
	_, _ = p.signIn.Finish(t.Context(), bad)
	if _, err := p.signIn.Finish(t.Context(), good); !errors.Is(err, auth.ErrFlow) {
		t.Errorf("after a stolen answer was tried: %v, want %v", err, auth.ErrFlow)
	}
}

func TestSigningInChangesTheSessionAndEndsTheFormerOne(t *testing.T) {
	p := newPorch(t)
	before := p.signedIn(t, lea)
	d := p.begin(t, auth.Start{})
	a := answer(p.issuer.Approve(t, d.URL, lea), d.Binding)
	a.Session = before.Cookie
	after, err := p.signIn.Finish(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if after.Cookie == before.Cookie {
		t.Error("the session kept its id")
	}
	if _, err := p.resolve(t, before.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("the former session: %v, want %v", err, auth.ErrEnded)
	}
}

func TestACookieSomebodyChoseIsNoSession(t *testing.T) {
	p := newPorch(t)
	d := p.begin(t, auth.Start{})
	a := answer(p.issuer.Approve(t, d.URL, lea), d.Binding)
	a.Session = "chosen-by-an-attacker"
	if _, err := p.signIn.Finish(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := p.resolve(t, "chosen-by-an-attacker"); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("resolving a chosen cookie: %v, want %v", err, auth.ErrEnded)
	}
}

func TestTwoTabsMaySignInAtOnce(t *testing.T) {
	p := newPorch(t)
	one := p.begin(t, auth.Start{Return: "/one"})
	two := p.begin(t, auth.Start{Return: "/two", Binding: one.Binding})
	for _, d := range []auth.Redirect{one, two} {
		if _, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, lea), two.Binding)); err != nil {
			t.Errorf("finishing: %v", err)
		}
	}
}

func TestReturnPathsAreOurOwn(t *testing.T) {
	cases := map[string]string{
		"/": "/", "/sites": "/sites", "/sites?q=a%20b": "/sites?q=a%20b", "/bin#x": "/bin#x",
		"": "/", "https://evil.example": "/", "//evil.example": "/", "/\\evil.example": "/", "\\\\evil.example": "/",
		"/\t/evil.example": "/", "/\n/evil.example": "/", "///evil.example": "/", "javascript:alert(1)": "/", "evil.example": "/",
		"/%5c%5cevil.example": "/", "/%2f/evil.example": "/", "/auth/logout": "/", "/auth/login?return=/": "/", "/ /x": "/",
	}
	for typed, want := range cases {
		if got := auth.LocalPath(typed); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestStepUpDemandsTheSecondFactor(t *testing.T) {
	p := newPorch(t)
	admin := identitytest.Person("ana", "Ana", "/coop/admins")
	d := p.begin(t, auth.Start{StepUp: true})
	q, _ := url.Parse(d.URL)
	if q.Query().Get("acr_values") != "mfa" || q.Query().Get("claims") == "" {
		t.Errorf("departure asks for no second factor: %s", d.URL)
	}
	if _, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, admin), d.Binding)); !errors.Is(err, auth.ErrWeak) {
		t.Errorf("without it: %v, want %v", err, auth.ErrWeak)
	}
	for _, acr := range []string{"mfa", "2"} {
		d = p.begin(t, auth.Start{StepUp: true})
		admin["acr"] = acr
		a, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, admin), d.Binding))
		if err != nil || !a.Session.Principal().SecondFact || !a.Session.Principal().CoopAdmin {
			t.Errorf("with acr %s: %+v, %v", acr, a.Session.Principal(), err)
		}
	}
}

func TestSignInWaitsForAnIssuerThatIsAway(t *testing.T) {
	p := newPorch(t)
	p.issuer.Down(true)
	p.clock.Advance(time.Minute)
	if _, err := p.signIn.Begin(t.Context(), auth.Start{}); !errors.Is(err, tenants.ErrUnavailable) {
		t.Errorf("beginning while it is away: %v, want %v", err, tenants.ErrUnavailable)
	}
	p.issuer.Down(false)
	p.clock.Advance(time.Minute)
	if _, err := p.signIn.Begin(t.Context(), auth.Start{}); err != nil {
		t.Errorf("beginning when it is back: %v", err)
	}
}

func TestTheThrottleBoundsAnAddressAndNobodyElse(t *testing.T) {
	clock := authtest.NewClock()
	th := auth.NewAddressLimiter(3, time.Second, clock.Now)
	for i := range 3 {
		if !th.Allow("192.0.2.1") {
			t.Fatalf("try %d refused", i+1)
		}
	}
	if th.Allow("192.0.2.1") || th.Allow("::ffff:192.0.2.1") {
		t.Error("the fourth try was let through")
	}
	if !th.Allow("192.0.2.2") {
		t.Error("another address was refused")
	}
	clock.Advance(time.Second)
	if !th.Allow("192.0.2.1") || th.Allow("192.0.2.1") {
		t.Error("one second must give one more try, and no more")
	}
	for range 3 {
		th.Allow("2001:db8::1")
	}
	if th.Allow("2001:db8::2") || !th.Allow("2001:db8:0:1::1") {
		t.Error("an IPv6 person is a /64")
	}
}

// A login page may lie open for as long as Keycloak lets it, half an hour, and then begin again by itself.
func TestALoginPageMayLieOpenAndWhoIsLateIsToldSo(t *testing.T) {
	p := newPorch(t)
	d := p.begin(t, auth.Start{Return: "/sites"})
	p.clock.Advance(31 * time.Minute)
	a, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, lea), d.Binding))
	if err != nil || a.ReturnTo != "/sites" {
		t.Errorf("after 31 minutes: %q, %v", a.ReturnTo, err)
	}
	d = p.begin(t, auth.Start{Return: "/sites", StepUp: true})
	p.clock.Advance(61 * time.Minute)
	_, err = p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, lea), d.Binding))
	var late *auth.ExpiredFlow
	if !errors.As(err, &late) || !errors.Is(err, auth.ErrFlow) || late.Return != "/sites" || !late.StepUp {
		t.Errorf("after 61 minutes: %v", err)
	}
	d = p.begin(t, auth.Start{})
	if _, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, lea), "")); !errors.Is(err, auth.ErrNoCookie) {
		t.Errorf("without a cookie: %v, want %v", err, auth.ErrNoCookie)
	}
}
