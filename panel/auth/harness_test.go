package auth_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
	"chatiere/tenants"
	"chatiere/tenants/identity"
	"chatiere/tenants/identity/identitytest"
)

const publicURL = "https://panel.lilas.example"

// firefox is what a browser says of itself.
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

var key = []byte("0123456789abcdef0123456789abcdef")

// porch is everything of sign-in, put together as the panel does.
type porch struct {
	clock    *authtest.Clock
	issuer   *identitytest.Issuer
	store    *authtest.Store
	provider *identity.Provider
	sessions *auth.Sessions
	signIn   *auth.SignIn
	tokens   *auth.Tokens
	glass    *auth.BreakGlass
	back     *auth.BackChannel
	bell     *auth.Changes
}

func newPorch(t *testing.T) *porch { return newPorchFrom(t, identity.RightsGroups) }

func newPorchFrom(t *testing.T, from identity.RightsFrom) *porch {
	t.Helper()
	p := &porch{clock: authtest.NewClock(), store: authtest.NewStore()}
	p.issuer = identitytest.NewIssuer(t, p.clock.Now)
	log := slog.New(slog.DiscardHandler)
	now := p.clock.Now
	p.provider = identity.NewProvider(identity.Settings{
		Issuer: p.issuer.URL, ClientID: p.issuer.ClientID, ClientSecret: p.issuer.Secret, PublicURL: publicURL, Rights: from,
		Client: &http.Client{Timeout: 5 * time.Second},
	}, now, log)
	seal, err := auth.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	p.sessions = &auth.Sessions{Store: p.store, Members: p.store, Provider: p.provider, Sealer: seal, Now: now, Log: log}
	p.signIn = &auth.SignIn{Flows: p.store, Sessions: p.sessions, Provider: p.provider, Audit: p.store, Now: now, Log: log}
	p.tokens = &auth.Tokens{Store: p.store, Members: p.store, Audit: p.store, Now: now, Log: log}
	p.glass = &auth.BreakGlass{Links: p.store, Sessions: p.sessions, Audit: p.store, Now: now}
	p.bell = &auth.Changes{}
	p.sessions.Changes = p.bell
	p.back = &auth.BackChannel{Provider: p.provider, Store: p.store, Changes: p.bell, Audit: p.store, Now: now}
	p.provider.Run(t.Context())
	return p
}

func (p *porch) begin(t *testing.T, s auth.Start) auth.Redirect {
	t.Helper()
	d, err := p.signIn.Begin(t.Context(), s)
	if err != nil {
		t.Fatalf("beginning: %v", err)
	}
	return d
}

func answer(q url.Values, binding string) auth.Callback {
	return auth.Callback{
		State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error"), Binding: binding, Origin: auth.Origin{Address: "192.0.2.1", Agent: firefox},
	}
}

func (p *porch) signedIn(t *testing.T, person identitytest.Claims) auth.OpenedSession {
	t.Helper()
	d := p.begin(t, auth.Start{})
	a, err := p.signIn.Finish(t.Context(), answer(p.issuer.Approve(t, d.URL, person), d.Binding))
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	return a
}

func (p *porch) resolve(t *testing.T, cookie string) (auth.Resolved, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return p.sessions.Resolve(ctx, cookie, "198.51.100.7")
}

var lea = identitytest.Person("lea", "Léa Martin", "/assos/lilas/gestion", "/assos/roses/membres")

func manager(v auth.Resolved) bool {
	return v.Session.Principal().RoleIn("lilas") == tenants.RoleManager
}
