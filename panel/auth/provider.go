package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"chatiere/tenants"
)

// Identity is the issuer that the panel trusts and the panel's client there.
type Identity struct {
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
	id  Identity
	now func() time.Time
	log *slog.Logger

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
func NewProvider(id Identity, now func() time.Time, log *slog.Logger) *Provider {
	return &Provider{id: id, now: now, log: log}
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
			p.log.InfoContext(ctx, "issuer discovered", "issuer", p.id.Issuer)
			return
		}
		p.log.WarnContext(ctx, "issuer not discovered", "issuer", p.id.Issuer, "retry_in", pause, "error", firstLine(err))
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
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, limitedClient(p.id.Client)), requestTimeout)
	defer cancel()
	found, err := oidc.NewProvider(ctx, p.id.Issuer)
	if err != nil {
		return fmt.Errorf("discovering %s: %w", p.id.Issuer, err)
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
			ClientID: p.id.ClientID, ClientSecret: p.id.ClientSecret, Endpoint: endpoint,
			RedirectURL: p.id.PublicURL + CallbackPath, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
		},
		verifier: found.Verifier(&oidc.Config{
			ClientID: p.id.ClientID, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256}, Now: p.clockWithLeeway,
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.id.Issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return false
	}
	res, err := p.id.Client.Do(req)
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

// grant is what the issuer gave for a code or a refresh token.
type grant struct {
	claims  claims
	idToken string
	refresh string
}

func (p *Provider) exchange(ctx context.Context, code, verifier string) (grant, error) {
	c, err := p.connected()
	if err != nil {
		return grant{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.id.Client), requestTimeout)
	defer cancel()
	token, err := c.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return grant{}, p.failure("exchanging code", err)
	}
	return p.verify(ctx, c, token)
}

// renew asks for the rights as they are now.
func (p *Provider) renew(ctx context.Context, refresh string) (grant, error) {
	c, err := p.connected()
	if err != nil {
		return grant{}, err
	}
	if !p.Alive(ctx) {
		return grant{}, fmt.Errorf("renewing rights: issuer is away: %w", tenants.ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.id.Client), requestTimeout)
	defer cancel()
	token, err := c.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return grant{}, p.failure("renewing rights", err)
	}
	return p.verify(ctx, c, token)
}

// failure distinguishes a refusal, which is final, from an issuer that is away or broken.
func (p *Provider) failure(doing string, err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
		return fmt.Errorf("%s: %w: %w", doing, errGrant, err)
	}
	p.markDown()
	return fmt.Errorf("%s: %w: %w", doing, tenants.ErrUnavailable, err)
}

func (p *Provider) verify(ctx context.Context, c *connection, token *oauth2.Token) (grant, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return grant{}, fmt.Errorf("issuer sent no id_token: %w", ErrFlow)
	}
	id, err := c.verifier.Verify(ctx, raw)
	if err != nil {
		return grant{}, fmt.Errorf("verifying id_token: %w: %w", ErrFlow, err)
	}
	g := grant{idToken: raw, refresh: token.RefreshToken}
	if err := id.Claims(&g.claims); err != nil {
		return grant{}, fmt.Errorf("reading claims: %w: %w", ErrFlow, err)
	}
	if len(id.Audience) > 1 && g.claims.AZP != p.id.ClientID {
		return grant{}, fmt.Errorf("id_token was made for %q: %w", g.claims.AZP, ErrFlow)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return grant{}, fmt.Errorf("verifying at_hash: %w: %w", ErrFlow, err)
		}
	}
	if g.claims.Subject == "" {
		return grant{}, fmt.Errorf("id_token names nobody: %w", ErrFlow)
	}
	return g, nil
}
