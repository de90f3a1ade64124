// Package identity signs people in through an OpenID Connect issuer: it verifies tokens and says from which of their claims,
// or from which copy of the realm, rights come. Package assertion below it signs who somebody is for sites.
//
// It knows neither sessions nor cookies nor a web framework, so that every role that needs to know who is asking can stand
// on it. What a person may do is decided in tenants.Authorize, not here. Start reading at Provider, then Rights.
package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"chatiere/tenants"
)

// Settings are the issuer that we trust and our client there.
type Settings struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Rights       RightsFrom
	PublicURL    string // ours, such as "https://panel.lilas.coop", without a slash at the end
	Client       *http.Client
}

// CallbackPath is where the issuer sends people back to.
const CallbackPath = "/auth/callback"

// Provider is our connection to the issuer. The issuer may be away when we start and at any time later.
type Provider struct {
	settings Settings
	now      func() time.Time
	log      *slog.Logger

	conn atomic.Pointer[connection]

	mu        sync.Mutex
	checkedAt time.Time // when the issuer was last asked whether it is there
	alive     bool
	checks    singleflight.Group // one check serves all who wait, without holding the lock
}

type connection struct {
	oauth      oauth2.Config
	verifier   *oidc.IDTokenVerifier
	endSession string
}

// NewProvider returns one that is not connected yet; Run connects it.
func NewProvider(s Settings, now func() time.Time, log *slog.Logger) *Provider {
	return &Provider{settings: s, now: now, log: log}
}

const (
	firstRetry     = 500 * time.Millisecond
	lastRetry      = 4 * time.Second
	requestTimeout = 10 * time.Second
)

// Run discovers the issuer, trying again with growing pauses, and returns when it has or when ctx is over.
func (p *Provider) Run(ctx context.Context) {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := p.discover(ctx)
		if err == nil {
			p.log.InfoContext(ctx, "issuer discovered", "issuer", p.settings.Issuer)
			return
		}
		p.log.WarnContext(ctx, "issuer not discovered", "issuer", p.settings.Issuer, "retry_in", pause, "error", firstLine(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// firstLine shortens an error for the log, which may contain a gateway's whole error page.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text[:min(len(text), 300)]
}

func (p *Provider) discover(ctx context.Context) error {
	// The provider keeps the client, and asks by it for the issuer's keys.
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, limitedClient(p.settings.Client)), requestTimeout)
	defer cancel()
	found, err := oidc.NewProvider(ctx, p.settings.Issuer)
	if err != nil {
		return fmt.Errorf("discovering %s: %w", p.settings.Issuer, err)
	}
	var extra struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := found.Claims(&extra); err != nil {
		return fmt.Errorf("reading discovery document: %w", err)
	}
	endpoint := found.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // trying both styles could burn the code
	p.conn.Store(&connection{
		oauth: oauth2.Config{
			ClientID: p.settings.ClientID, ClientSecret: p.settings.ClientSecret, Endpoint: endpoint,
			RedirectURL: p.settings.PublicURL + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
		},
		verifier: found.Verifier(&oidc.Config{
			ClientID: p.settings.ClientID, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256}, Now: p.clockWithLeeway,
		}),
		endSession: extra.EndSession,
	})
	return nil
}

// clockWithLeeway is the clock set back a little, since go-oidc gives an expiry no leeway.
func (p *Provider) clockWithLeeway() time.Time { return p.now().Add(-30 * time.Second) }

// connected returns the connection, or tenants.ErrUnavailable.
func (p *Provider) connected() (*connection, error) {
	if c := p.conn.Load(); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("issuer not discovered yet: %w", tenants.ErrUnavailable)
}

// checkEvery is how long the result of one check of the issuer is used.
const checkEvery = 3 * time.Second

// Alive reports whether the issuer answers now; nobody should be sent to a page that cannot load.
func (p *Provider) Alive(ctx context.Context) bool {
	if p.conn.Load() == nil {
		return false
	}
	if answers, fresh := p.lastCheck(); fresh {
		return answers
	}
	result := p.checks.DoChan("", func() (any, error) {
		// The first asker's end must not answer for the others.
		answers := p.check(context.WithoutCancel(ctx))
		p.mu.Lock()
		defer p.mu.Unlock()
		p.checkedAt, p.alive = p.now(), answers
		return answers, nil
	})
	select {
	case <-ctx.Done():
		return false
	case r := <-result:
		return r.Val.(bool)
	}
}

// lastCheck returns the result of the last check, and whether it is recent enough.
func (p *Provider) lastCheck() (answers, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	return p.alive, !p.checkedAt.IsZero() && now.Sub(p.checkedAt) <= checkEvery && !now.Before(p.checkedAt)
}

func (p *Provider) check(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, checkEvery)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.settings.Issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return false
	}
	res, err := p.settings.Client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// markDown records that the issuer just failed, so that the next requests do not each wait for it.
func (p *Provider) markDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checkedAt, p.alive = p.now(), false
}

// AuthRequest is what the issuer is asked for at the beginning of a sign-in.
type AuthRequest struct {
	State, Nonce string
	Verifier     string // PKCE
	StepUp       bool   // the second factor is a condition
	Language     string // for the issuer's pages
}

// AuthURL returns the address to send the browser to; tenants.ErrUnavailable when the issuer does not answer.
func (p *Provider) AuthURL(ctx context.Context, r AuthRequest) (string, error) {
	c, err := p.connected()
	if err != nil {
		return "", err
	}
	if !p.Alive(ctx) {
		return "", fmt.Errorf("issuer does not answer: %w", tenants.ErrUnavailable)
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(r.Nonce), oauth2.S256ChallengeOption(r.Verifier)}
	if r.Language != "" {
		options = append(options, oauth2.SetAuthURLParam("ui_locales", r.Language))
	}
	if r.StepUp {
		options = append(options, oauth2.SetAuthURLParam("acr_values", strongACR),
			oauth2.SetAuthURLParam("claims", `{"id_token":{"acr":{"essential":true,"values":["`+strongACR+`"]}}}`))
	}
	return c.oauth.AuthCodeURL(r.State, options...), nil
}

// Grant is what the issuer gave for a code or a refresh token.
type Grant struct {
	Claims  Claims
	IDToken string
	Refresh string
}

// Exchange exchanges the code of a sign-in. It returns ErrGrant, ErrToken or tenants.ErrUnavailable.
func (p *Provider) Exchange(ctx context.Context, code, verifier string) (Grant, error) {
	c, err := p.connected()
	if err != nil {
		return Grant{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.settings.Client), requestTimeout)
	defer cancel()
	token, err := c.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Grant{}, p.failure("exchanging code", err)
	}
	return p.verify(ctx, c, token)
}

// Renew asks for the claims as they are now. It returns ErrGrant, ErrToken or tenants.ErrUnavailable.
func (p *Provider) Renew(ctx context.Context, refresh string) (Grant, error) {
	c, err := p.connected()
	if err != nil {
		return Grant{}, err
	}
	if !p.Alive(ctx) {
		return Grant{}, fmt.Errorf("renewing rights: issuer is away: %w", tenants.ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.settings.Client), requestTimeout)
	defer cancel()
	token, err := c.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return Grant{}, p.failure("renewing rights", err)
	}
	return p.verify(ctx, c, token)
}

// failure distinguishes a refusal, which is final, from an issuer that is away or broken.
func (p *Provider) failure(doing string, err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
		return fmt.Errorf("%s: %w: %w", doing, ErrGrant, err)
	}
	p.markDown()
	return fmt.Errorf("%s: %w: %w", doing, tenants.ErrUnavailable, err)
}

func (p *Provider) verify(ctx context.Context, c *connection, token *oauth2.Token) (Grant, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Grant{}, fmt.Errorf("issuer sent no id_token: %w", ErrToken)
	}
	id, err := c.verifier.Verify(ctx, raw)
	if err != nil {
		return Grant{}, fmt.Errorf("verifying id_token: %w: %w", ErrToken, err)
	}
	g := Grant{IDToken: raw, Refresh: token.RefreshToken}
	if err := id.Claims(&g.Claims); err != nil {
		return Grant{}, fmt.Errorf("reading claims: %w: %w", ErrToken, err)
	}
	if len(id.Audience) > 1 && g.Claims.AZP != p.settings.ClientID {
		return Grant{}, fmt.Errorf("id_token was made for %q: %w", g.Claims.AZP, ErrToken)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return Grant{}, fmt.Errorf("verifying at_hash: %w: %w", ErrToken, err)
		}
	}
	if g.Claims.Subject == "" {
		return Grant{}, fmt.Errorf("id_token names nobody: %w", ErrToken)
	}
	return g, nil
}

// Logout is a logout token of the issuer.
type Logout struct {
	TokenID, SessionID, Subject string
	IssuedAt                    time.Time
}

// maxLogoutToken is the largest token that is parsed; Keycloak's have about 1 KiB.
const maxLogoutToken = 16 << 10

// VerifyLogout verifies a logout token: ErrToken for an invalid or expired one, tenants.ErrUnavailable.
func (p *Provider) VerifyLogout(ctx context.Context, raw string) (Logout, error) {
	c, err := p.connected()
	if err != nil {
		return Logout{}, err
	}
	if len(raw) > maxLogoutToken {
		return Logout{}, fmt.Errorf("logout token of %d bytes: %w", len(raw), ErrToken)
	}
	t, err := c.verifier.VerifyLogout(ctx, raw)
	if err != nil {
		return Logout{}, fmt.Errorf("verifying logout token: %w: %w", ErrToken, err)
	}
	return Logout{TokenID: t.TokenID, SessionID: t.SessionID, Subject: t.Subject, IssuedAt: t.IssuedAt}, nil
}

// LogoutURL returns the address that ends the issuer's session; "" when there is none. The ID token spares people a question.
func (p *Provider) LogoutURL(idToken string) string {
	c := p.conn.Load()
	if c == nil || c.endSession == "" {
		return ""
	}
	q := url.Values{"client_id": {p.settings.ClientID}, "post_logout_redirect_uri": {p.settings.PublicURL + "/"}}
	if idToken != "" {
		q.Set("id_token_hint", idToken)
	}
	return c.endSession + "?" + q.Encode()
}

// Issuer returns the issuer's name.
func (p *Provider) Issuer() string { return p.settings.Issuer }

// Rights returns where people's rights come from; copied is the worker's copy of the realm, maxAge how old it may be.
func (p *Provider) Rights(copied Copy, maxAge time.Duration) Rights {
	return Rights{From: p.settings.Rights, clientID: p.settings.ClientID, copied: copied, maxAge: maxAge}
}
