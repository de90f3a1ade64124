package auth_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
	"chatiere/tenants"
	"chatiere/tenants/identity/identitytest"
)

func TestSessionsEndWhenIdleAndAbsolutely(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.clock.Advance(8*time.Hour + time.Second)
	if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("after 8 h without a request: %v, want %v", err, auth.ErrEnded)
	}
	a = p.signedIn(t, lea)
	for range 3 {
		p.clock.Advance(7 * time.Hour)
		if _, err := p.resolve(t, a.Cookie); err != nil {
			t.Fatalf("in use: %v", err)
		}
	}
	p.clock.Advance(3 * time.Hour)
	if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("after 24 h: %v, want %v", err, auth.ErrEnded)
	}
}

func TestRightsAreReadAgainAfterFiveMinutes(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.issuer.Regroup("/assos/roses/membres")
	p.clock.Advance(4 * time.Minute)
	if v, err := p.resolve(t, a.Cookie); err != nil || !manager(v) {
		t.Errorf("after 4 minutes: %+v, %v, want as before", v.Session.Memberships, err)
	}
	p.clock.Advance(time.Minute)
	v, err := p.resolve(t, a.Cookie)
	if err != nil || manager(v) || v.Stale || v.Session.Memberships["roses"] != tenants.RoleMember {
		t.Errorf("after 5 minutes: %+v, %v, want the new groups", v.Session.Memberships, err)
	}
	if m, _ := p.store.Person(t.Context(), "lea"); len(m.Memberships) != 1 {
		t.Errorf("mirror still says %+v", m.Memberships)
	}
	p.clock.Advance(6 * time.Minute) // with the rotated refresh token
	if v, err := p.resolve(t, a.Cookie); err != nil || v.Stale {
		t.Errorf("the second renewal: stale %v, %v", v.Stale, err)
	}
}

func TestManyRequestsAtOnceRenewOnce(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.clock.Advance(6 * time.Minute)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if v, err := p.resolve(t, a.Cookie); err != nil || v.Stale {
				t.Errorf("one of many: stale %v, %v", v.Stale, err)
			}
		})
	}
	wg.Wait()
	if n := p.issuer.Refreshes(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// late answers the first reading of a session with what it was before.
type late struct {
	*authtest.Store
	before *auth.Session
}

func (l *late) Session(ctx context.Context, h auth.Hash) (auth.Session, error) {
	if x := l.before; x != nil {
		l.before = nil
		return *x, nil
	}
	return l.Store.Session(ctx, h)
}

func TestARequestThatReadTheSessionJustBeforeARenewalDoesNotRenewAgain(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.clock.Advance(6 * time.Minute)
	if _, err := p.resolve(t, a.Cookie); err != nil {
		t.Fatal(err)
	}
	p.sessions.Store = &late{Store: p.store, before: &a.Session}
	if v, err := p.resolve(t, a.Cookie); err != nil || v.Stale || p.issuer.Refreshes() != 1 {
		t.Errorf("stale %v, %v, %d refreshes, want 1", v.Stale, err, p.issuer.Refreshes())
	}
}

func TestAnIssuerThatIsAwayLeavesLastKnownRightsUntilTheAbsoluteLimit(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.issuer.Down(true)
	for range 4 {
		p.clock.Advance(5 * time.Hour)
		v, err := p.resolve(t, a.Cookie)
		if err != nil || !v.Stale || !manager(v) {
			t.Fatalf("while it is away: stale %v, %+v, %v", v.Stale, v.Session.Memberships, err)
		}
	}
	p.issuer.Down(false)
	p.clock.Advance(time.Minute)
	if v, err := p.resolve(t, a.Cookie); err != nil || v.Stale {
		t.Errorf("when it is back: stale %v, %v", v.Stale, err)
	}
	p.issuer.Down(true)
	p.clock.Advance(4 * time.Hour)
	if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("past the absolute limit: %v, want %v", err, auth.ErrEnded)
	}
}

func TestARevokedGrantEndsTheSession(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.issuer.Revoke()
	p.clock.Advance(6 * time.Minute)
	for range 2 {
		if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
			t.Errorf("after revocation: %v, want %v", err, auth.ErrEnded)
		}
	}
}

func TestARenewalForSomebodyElseEndsTheSession(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.issuer.Spoil(func(c identitytest.Claims) { c["sub"] = "eve" })
	p.clock.Advance(6 * time.Minute)
	if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("renewed as another person: %v, want %v", err, auth.ErrEnded)
	}
}

func TestARenewalRaisesNoLevelOfAuthentication(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, identitytest.Person("ana", "Ana", "/coop/admins"))
	p.issuer.Spoil(func(c identitytest.Claims) { c["acr"] = "mfa" })
	p.clock.Advance(6 * time.Minute)
	v, err := p.resolve(t, a.Cookie)
	if err != nil || v.Stale || v.Session.SecondFactor() {
		t.Errorf("after a refresh: second factor %v, stale %v, %v", v.Session.SecondFactor(), v.Stale, err)
	}
}

func TestTheDatabaseHoldsNeitherCookieNorTokens(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	x := a.Session
	if string(x.Hash[:]) == a.Cookie || len(x.Refresh) == 0 || len(x.IDToken) == 0 {
		t.Fatalf("session holds %+v", x)
	}
	other := p.signedIn(t, lea).Session
	swapped := other
	swapped.Refresh = x.Refresh
	if err := p.store.RenewSession(t.Context(), swapped); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(6 * time.Minute)
	if _, err := p.sessions.ResolveHash(t.Context(), other.Hash); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("a refresh token sealed for another session opened: %v", err)
	}
}

func TestFormTokensAreTheSessionsAndNeverTheSameTwice(t *testing.T) {
	p := newPorch(t)
	one, two := p.signedIn(t, lea).Session, p.signedIn(t, lea).Session
	token := one.CSRFToken()
	if token == one.CSRFToken() {
		t.Error("two pages carry the same token")
	}
	if !one.ValidCSRF(token) || two.ValidCSRF(token) || one.ValidCSRF("") || one.ValidCSRF(token[:20]) {
		t.Error("a token must be good for its own session, whole, and for nothing else")
	}
}

func TestFarewellEndsTheIssuersSessionToo(t *testing.T) {
	p := newPorch(t)
	u, err := url.Parse(p.sessions.LogoutURL(p.signedIn(t, lea).Session))
	if err != nil || u.Query().Get("id_token_hint") == "" || u.Query().Get("post_logout_redirect_uri") != publicURL+"/" || u.Path != "/logout" {
		t.Errorf("farewell is %v, %v", u, err)
	}
}

func TestBackChannelLogoutEndsTheNamedSessions(t *testing.T) {
	p := newPorch(t)
	a, other := p.signedIn(t, lea), p.signedIn(t, identitytest.Person("ali", "Ali"))
	token := p.issuer.LogoutToken("sid-lea", "lea", nil)
	if n, err := p.back.Logout(t.Context(), token); n != 1 || err != nil {
		t.Fatalf("ended %d, %v", n, err)
	}
	if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("the named session: %v", err)
	}
	if _, err := p.resolve(t, other.Cookie); err != nil {
		t.Errorf("somebody else's session: %v", err)
	}
	if _, err := p.back.Logout(t.Context(), token); !errors.Is(err, auth.ErrFlow) {
		t.Errorf("the same token again: %v, want %v", err, auth.ErrFlow)
	}
	if n, err := p.back.Logout(t.Context(), p.issuer.LogoutToken("", "ali", nil)); n != 1 || err != nil {
		t.Errorf("by subject: ended %d, %v", n, err)
	}
}

func TestFaultyLogoutTokensEndNothing(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	old := p.clock.Now().Add(-10 * time.Minute).Unix()
	for name, spoil := range map[string]func(identitytest.Claims){
		"other issuer": func(c identitytest.Claims) { c["iss"] = "https://evil.example" },
		"other client": func(c identitytest.Claims) { c["aud"] = "other" },
		"expired":      func(c identitytest.Claims) { c["exp"] = old },
		"issued long ago": func(c identitytest.Claims) {
			c["iat"], c["exp"] = old, p.clock.Now().Add(time.Hour).Unix()
		},
		"no event":            func(c identitytest.Claims) { delete(c, "events") },
		"an ID token's nonce": func(c identitytest.Claims) { c["nonce"] = "n" },
		"no id":               func(c identitytest.Claims) { delete(c, "jti") },
		"names nobody":        func(c identitytest.Claims) { delete(c, "sub"); delete(c, "sid") },
	} {
		if _, err := p.back.Logout(t.Context(), p.issuer.LogoutToken("sid-lea", "lea", spoil)); !errors.Is(err, auth.ErrFlow) {
			t.Errorf("%s: %v, want %v", name, err, auth.ErrFlow)
		}
	}
	for _, junk := range []string{"", "x", "a.b.c"} {
		if _, err := p.back.Logout(t.Context(), junk); !errors.Is(err, auth.ErrFlow) {
			t.Errorf("%q: %v, want %v", junk, err, auth.ErrFlow)
		}
	}
	if _, err := p.resolve(t, a.Cookie); err != nil {
		t.Errorf("the session ended: %v", err)
	}
}

func TestAPersonSeesTheirSessionsAndEndsOneOrAll(t *testing.T) {
	p := newPorch(t)
	one := p.signedIn(t, lea)
	p.clock.Advance(time.Hour)
	two, other := p.signedIn(t, lea), p.signedIn(t, identitytest.Person("ali", "Ali"))
	list, err := p.sessions.List(t.Context(), "lea")
	if err != nil || len(list) != 2 || list[0].ID() != two.Session.ID() || list[0].Network != "192.0.2.0/24" || list[0].Device.String() != "firefox/linux" {
		t.Fatalf("%+v, %v", list, err)
	}
	p.clock.Advance(time.Minute)
	if _, err := p.resolve(t, one.Cookie); err != nil { // from elsewhere
		t.Fatal(err)
	}
	if list, err = p.sessions.List(t.Context(), "lea"); err != nil || list[0].ID() != one.Session.ID() || list[0].Network != "198.51.100.0/24" {
		t.Errorf("%+v, %v", list, err)
	}
	rings := p.bell.Wait()
	if _, err := p.sessions.End(t.Context(), "ali", one.Session.ID()); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	if _, err := p.sessions.End(t.Context(), "lea", one.Session.ID()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-rings:
	default:
		t.Error("nobody was told")
	}
	if _, err := p.resolve(t, one.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("the ended one: %v", err)
	}
	if n, err := p.sessions.EndAll(t.Context(), "lea"); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	if got := p.store.SignedOutAt("lea"); !got.Equal(p.clock.Now()) {
		t.Errorf("sites are told that her sessions ended at %v, want %v", got, p.clock.Now())
	}
	if _, err := p.resolve(t, two.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("the other one: %v", err)
	}
	if _, err := p.resolve(t, other.Cookie); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
}

func TestIdleSessionsAreNotListedAndLimitsAreTheConfiguredOnes(t *testing.T) {
	p := newPorch(t)
	p.sessions.Limits = auth.Limits{Idle: 20 * time.Minute, Absolute: 2 * time.Hour, Rights: 24 * time.Hour}
	a := p.signedIn(t, lea)
	if want := p.clock.Now().Add(2 * time.Hour); !a.Session.ExpiresAt.Equal(want) {
		t.Errorf("ends at %v, want %v", a.Session.ExpiresAt, want)
	}
	p.clock.Advance(21 * time.Minute)
	if list, err := p.sessions.List(t.Context(), "lea"); err != nil || len(list) != 0 {
		t.Errorf("%d listed, %v", len(list), err)
	}
	if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("idle for 21 minutes: %v", err)
	}
}

func TestALogoutTokenHeardBeforeARestartIsNotHeardAgain(t *testing.T) {
	p := newPorch(t)
	p.signedIn(t, lea)
	token := p.issuer.LogoutToken("sid-lea", "lea", nil)
	rings := p.bell.Wait()
	if n, err := p.back.Logout(t.Context(), token); n != 1 || err != nil {
		t.Fatalf("ended %d, %v", n, err)
	}
	select {
	case <-rings:
	default:
		t.Error("nobody was told")
	}
	p.signedIn(t, lea)
	again := &auth.BackChannel{Provider: p.provider, Store: p.store, Changes: p.bell, Audit: p.store, Now: p.clock.Now}
	if _, err := again.Logout(t.Context(), token); !errors.Is(err, auth.ErrFlow) {
		t.Errorf("after a restart: %v", err)
	}
	if !slices.Contains(p.store.Audited(), "session.issuer_end") {
		t.Errorf("the trail has %v", p.store.Audited())
	}
}

// For five minutes, and not a second longer, a right that the directory took away may still be used.
func TestARightThatWasTakenAwayIsGoneAfterFiveMinutes(t *testing.T) {
	p := newPorch(t)
	a := p.signedIn(t, lea)
	p.issuer.Regroup("/assos/roses/membres")
	for range 4 {
		p.clock.Advance(time.Minute)
		if v, err := p.resolve(t, a.Cookie); err != nil || !manager(v) {
			t.Fatalf("before five minutes: %v", err)
		}
	}
	p.clock.Advance(time.Minute)
	if v, err := p.resolve(t, a.Cookie); err != nil || manager(v) {
		t.Errorf("after five minutes the right is still there (%v)", err)
	}
}

func TestJunkTokensDoNotCostTheIssuerARequestEach(t *testing.T) {
	p := newPorch(t)
	whole := p.issuer.LogoutToken("sid-lea", "lea", nil)
	forged := whole[:len(whole)-8] + "AAAAAAAA"
	for range 100 {
		if _, err := p.back.Logout(t.Context(), forged); !errors.Is(err, auth.ErrFlow) {
			t.Fatalf("a forged token: %v", err)
		}
	}
	if n := p.issuer.KeysAsked(); n > 20 {
		t.Errorf("100 forged tokens: the issuer was asked for its keys %d times", n)
	}
	if _, err := p.back.Logout(t.Context(), p.issuer.LogoutToken("sid-lea", "lea", nil)); err != nil {
		t.Errorf("its own signal afterwards: %v", err)
	}
	if _, err := p.back.Logout(t.Context(), strings.Repeat("x", 1<<20)); !errors.Is(err, auth.ErrFlow) {
		t.Errorf("a token of a megabyte: %v", err)
	}
}
