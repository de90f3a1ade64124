package auth_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
	"chatiere/tenants"
	"chatiere/tenants/identity/identitytest"
)

func (p *porch) token(t *testing.T, who tenants.Principal, wish auth.TokenRequest) (auth.Token, string) {
	t.Helper()
	made, secret, err := p.tokens.Create(t.Context(), who, "192.0.2.1", wish)
	if err != nil {
		t.Fatalf("making a token: %v", err)
	}
	return made, secret
}

func TestATokenHasItsMakersRightsAsTheyAreNow(t *testing.T) {
	p := newPorch(t)
	who := p.signedIn(t, lea).Session.Principal()
	made, secret := p.token(t, who, auth.TokenRequest{Label: "  Sauvegarde  du soir ", Scope: tenants.ScopeRead})
	if made.Label != "Sauvegarde du soir" || !regexp.MustCompile(`^chat_[0-9A-Za-z]{43}$`).MatchString(secret) {
		t.Errorf("made %q, %q", made.Label, secret)
	}
	got, err := p.tokens.Resolve(t.Context(), secret)
	if err != nil || got.Kind != tenants.KindToken || got.RoleIn("lilas") != tenants.RoleManager || !slices.Equal(got.Scopes, []tenants.Scope{tenants.ScopeRead}) {
		t.Errorf("resolved %+v, %v", got, err)
	}
	if err := p.store.SaveMember(t.Context(), tenants.Member{Subject: "lea"}); err != nil {
		t.Fatal(err)
	}
	if got, err = p.tokens.Resolve(t.Context(), secret); err != nil || len(got.Memberships) != 0 {
		t.Errorf("after leaving every group: %+v, %v", got.Memberships, err)
	}
}

func TestATokenIsAdminOnlyIfItsMakerWasWithASecondFactorAndStillIs(t *testing.T) {
	p := newPorch(t)
	ana := identitytest.Person("ana", "Ana", "/coop/admins")
	weak := p.signedIn(t, ana).Session.Principal()
	_, secret := p.token(t, weak, auth.TokenRequest{Label: "x", Scope: tenants.ScopeWrite})
	if got, err := p.tokens.Resolve(t.Context(), secret); err != nil || got.CoopAdmin {
		t.Errorf("made without a second factor: %+v, %v", got, err)
	}
	strong := p.signedIn(t, ana.WithSecondFactor()).Session.Principal()
	_, secret = p.token(t, strong, auth.TokenRequest{Label: "x", Scope: tenants.ScopeWrite})
	if got, err := p.tokens.Resolve(t.Context(), secret); err != nil || !got.CoopAdmin || !got.SecondFact {
		t.Errorf("made with one: %+v, %v", got, err)
	}
	if err := p.store.SaveMember(t.Context(), tenants.Member{Subject: "ana"}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.tokens.Resolve(t.Context(), secret); err != nil || got.CoopAdmin || got.SecondFact {
		t.Errorf("after leaving the admins: %+v, %v", got, err)
	}
}

// While Keycloak is away the worker cannot read rights again: a manager who was removed may hold a token for writing.
func TestATokenIsStaleWhenItsMakersRightsAreOld(t *testing.T) {
	p := newPorch(t)
	_, secret := p.token(t, p.signedIn(t, lea).Session.Principal(), auth.TokenRequest{Label: "x", Scope: tenants.ScopeWrite})
	_, root := p.token(t, tenants.Local(), auth.TokenRequest{Label: "x", Scope: tenants.ScopeWrite})
	for _, c := range []struct {
		age   time.Duration
		ever  bool
		after time.Duration // since the maker's sign-in
		want  bool
	}{
		{0, true, 0, false}, {10 * time.Minute, true, 0, false}, {11 * time.Minute, true, 0, true},
		{0, false, 5 * time.Minute, false}, {0, false, 6 * time.Minute, true}, {0, true, 0, false},
	} {
		p.store.SetRightsAge(c.age, c.ever)
		p.clock.Advance(c.after)
		got, err := p.tokens.Resolve(t.Context(), secret)
		if err != nil || got.Stale != c.want || got.RoleIn("lilas") != tenants.RoleManager {
			t.Errorf("rights read %s ago (%v): %+v, %v; want stale %v", c.age, c.ever, got, err, c.want)
		}
		if got, err := p.tokens.Resolve(t.Context(), root); err != nil || got.Stale {
			t.Errorf("the socket's token: %+v, %v", got, err)
		}
	}
}

func TestTokensEnd(t *testing.T) {
	p := newPorch(t)
	who := p.signedIn(t, lea).Session.Principal()
	made, secret := p.token(t, who, auth.TokenRequest{Label: "x", Scope: tenants.ScopeRead, Days: 1})
	_, short := p.token(t, who, auth.TokenRequest{Label: "y", Scope: tenants.ScopeRead, Days: 1})
	if _, err := p.tokens.Revoke(t.Context(), authPrincipal("ali"), "", made.ID); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("revoked by somebody else: %v, want not found", err)
	}
	if _, err := p.tokens.Revoke(t.Context(), who, "", made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := p.tokens.Resolve(t.Context(), secret); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("revoked a moment ago: %v, want %v", err, auth.ErrEnded)
	}
	p.clock.Advance(23 * time.Hour)
	if _, err := p.tokens.Resolve(t.Context(), short); err != nil {
		t.Errorf("within its day: %v", err)
	}
	p.clock.Advance(time.Hour)
	for name, s := range map[string]string{"expired": short, "unknown": "chat_" + short[5:len(short)-1] + "!", "junk": "x", "empty": ""} {
		if got, err := p.tokens.Resolve(t.Context(), s); !errors.Is(err, auth.ErrEnded) || got.Kind != tenants.KindAnonymous {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, auth.ErrEnded)
		}
	}
}

func authPrincipal(id string) tenants.Principal {
	return tenants.Principal{Kind: tenants.KindPerson, ID: id}
}

func TestATokenMakesSeesAndRevokesNoTokens(t *testing.T) {
	p := newPorch(t)
	who := tenants.Principal{Kind: tenants.KindToken, ID: "t123", Scopes: []tenants.Scope{tenants.ScopeWrite}}
	_, _, made := p.tokens.Create(t.Context(), who, "", auth.TokenRequest{Label: "x", Scope: tenants.ScopeRead})
	_, listed := p.tokens.List(t.Context(), who)
	_, revoked := p.tokens.Revoke(t.Context(), who, "", "t1")
	for name, err := range map[string]error{"made": made, "listed": listed, "revoked": revoked} {
		if !errors.Is(err, tenants.ErrForbidden) {
			t.Errorf("%s: %v, want %v", name, err, tenants.ErrForbidden)
		}
	}
}

func TestFaultyWishesForTokensAreExplained(t *testing.T) {
	p := newPorch(t)
	_, _, err := p.tokens.Create(t.Context(), authPrincipal("lea"), "", auth.TokenRequest{Scope: "admin", Days: 400})
	var faults tenants.Faults
	if !errors.As(err, &faults) || len(faults) != 3 {
		t.Errorf("faults are %v", err)
	}
}

func TestBreakGlassWorksOnceInTimeAndWithoutTheIssuer(t *testing.T) {
	p := newPorch(t)
	p.issuer.Down(true)
	p.clock.Advance(time.Minute)
	key, _, err := p.glass.Issue(t.Context(), tenants.Local())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // looking does not use it up
		if _, err := p.glass.Check(t.Context(), key); err != nil {
			t.Fatalf("looking: %v", err)
		}
	}
	a, err := p.glass.Enter(t.Context(), key, "", auth.Origin{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.glass.Check(t.Context(), key); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("looking at it when it is used up: %v, want %v", err, auth.ErrEnded)
	}
	p.clock.Advance(50 * time.Minute)
	v, err := p.resolve(t, a.Cookie)
	if who := v.Session.Principal(); err != nil || v.Stale || !who.CoopAdmin || !who.SecondFact {
		t.Errorf("session is %+v, stale %v, %v", who, v.Stale, err)
	}
	p.clock.Advance(10 * time.Minute)
	if _, err := p.resolve(t, a.Cookie); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("after an hour: %v, want %v", err, auth.ErrEnded)
	}
	if _, err := p.glass.Enter(t.Context(), key, "", auth.Origin{}); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("the second time: %v, want %v", err, auth.ErrEnded)
	}
	late, _, err := p.glass.Issue(t.Context(), tenants.Local())
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(15 * time.Minute)
	if _, err := p.glass.Check(t.Context(), late); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("looking at it after 15 minutes: %v, want %v", err, auth.ErrEnded)
	}
	if _, err := p.glass.Enter(t.Context(), late, "", auth.Origin{}); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("after 15 minutes: %v, want %v", err, auth.ErrEnded)
	}
	if got := p.store.Audited(); !slices.Equal(got, []string{"break_glass.issue", "break_glass.use", "break_glass.issue"}) {
		t.Errorf("audit trail is %v", got)
	}
}

func TestTheStoreInMemoryKeepsTheContract(t *testing.T) {
	authtest.Contract(t, func(*testing.T) auth.Store { return authtest.NewStore() })
}
