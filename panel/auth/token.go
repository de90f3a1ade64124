package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"chatiere/tenants"
)

// Token is an API token; only its hash is known.
type Token struct {
	ID        string
	Label     string
	Hash      Hash
	Maker     Maker
	MakerName string
	Admin     bool // the maker was a co-op admin with a second factor when making it
	Scope     tenants.Scope
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	RevokedAt *time.Time
}

// Maker is who made a token.
type Maker struct {
	Kind tenants.PrincipalKind // person or local
	ID   string
}

// tokenPrefix lets secret scanners and people recognise one.
const tokenPrefix = "chat_"

// tokenSigns is how many base-62 digits 256 bits take.
const tokenSigns = 43

const (
	defaultTokenDays = 90
	maxTokenDays     = 366
	maxTokenLabel    = 80
)

// Tokens makes, recognises and revokes API tokens.
type Tokens struct {
	Store  TokenStore
	People People
	Audit  Auditor
	Bell   *Bell // rung when one is revoked; nil for none
	Limits Limits
	Now    func() time.Time
	Log    *slog.Logger
}

// NewToken is the wish for one.
type NewToken struct {
	Label string
	Scope tenants.Scope
	Days  int // 0: 90
}

// Create returns the token and its secret, which is never to be had again. The maker must have been authorised for
// tenants.ActTokensOwn; a token makes no tokens, since they would outlive it.
func (t *Tokens) Create(ctx context.Context, p tenants.Principal, address string, wish NewToken) (Token, string, error) {
	if p.Kind == tenants.KindToken || p.ID == BreakGlassSubject {
		return Token{}, "", fmt.Errorf("%s makes no tokens: %w", p.Kind, tenants.ErrForbidden)
	}
	label := strings.Join(strings.Fields(wish.Label), " ")
	if wish.Days == 0 {
		wish.Days = defaultTokenDays
	}
	if faults := checkToken(label, wish); len(faults) > 0 {
		return Token{}, "", faults
	}
	secret, now := newTokenSecret(), t.Now().UTC()
	made := Token{
		ID: "t" + strings.TrimPrefix(tenants.NewSiteID(), "s"), Label: label, Hash: hashOf(secret), Maker: makerOf(p), MakerName: p.Name,
		Admin: p.CoopAdmin && p.SecondFact, Scope: wish.Scope, CreatedAt: now, ExpiresAt: now.AddDate(0, 0, wish.Days),
	}
	if err := t.Store.InsertToken(ctx, made); err != nil {
		return Token{}, "", fmt.Errorf("storing token: %w", err)
	}
	t.note(ctx, p, address, "token.create", made)
	return made, secret, nil
}

func checkToken(label string, wish NewToken) tenants.Faults {
	var faults tenants.Faults
	if label == "" {
		faults = append(faults, tenants.Fault{Field: "label", Code: "missing"})
	}
	if utf8.RuneCountInString(label) > maxTokenLabel {
		faults = append(faults, tenants.Fault{Field: "label", Code: "too_long"})
	}
	if !tenants.Readable(label) {
		faults = append(faults, tenants.Fault{Field: "label", Code: "malformed"})
	}
	if wish.Scope != tenants.ScopeRead && wish.Scope != tenants.ScopeWrite {
		faults = append(faults, tenants.Fault{Field: "scope", Code: "unknown"})
	}
	if wish.Days < 1 || wish.Days > maxTokenDays {
		faults = append(faults, tenants.Fault{Field: "days", Code: "malformed"})
	}
	return faults
}

func newTokenSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	digits := new(big.Int).SetBytes(b[:]).Text(62)
	return tokenPrefix + strings.Repeat("0", tokenSigns-len(digits)) + digits
}

// makerOf names the owner of p's tokens. The socket's are everybody's who can open it.
func makerOf(p tenants.Principal) Maker { return Maker{Kind: p.Kind, ID: p.ID} }

// ResolvedToken is whom a token stands for.
type ResolvedToken struct {
	tenants.Principal
	// Stale: nobody can tell whether the maker still has these rights, and nothing dangerous may be done with them.
	Stale bool
}

var noToken = ResolvedToken{Principal: tenants.Anonymous()}

// Resolve returns the principal a secret stands for: with the maker's rights as they are now, and no more. It answers
// ErrEnded for an unknown, expired or revoked one.
func (t *Tokens) Resolve(ctx context.Context, secret string) (ResolvedToken, error) {
	if len(secret) != len(tokenPrefix)+tokenSigns || !strings.HasPrefix(secret, tokenPrefix) {
		return noToken, ErrEnded
	}
	found, err := t.Store.TokenByHash(ctx, hashOf(secret))
	if errors.Is(err, tenants.ErrNotFound) {
		return noToken, ErrEnded
	}
	if err != nil {
		return noToken, fmt.Errorf("reading token: %w", err)
	}
	now := t.Now()
	if found.RevokedAt != nil || !now.Before(found.ExpiresAt) {
		return noToken, ErrEnded
	}
	p, err := t.principal(ctx, found)
	if err != nil {
		return noToken, err
	}
	if found.UsedAt == nil || now.Sub(*found.UsedAt) >= touchEvery {
		if err := t.Store.UseToken(ctx, found.ID, now); err != nil {
			t.Log.WarnContext(ctx, "use of token not noted", "token", found.ID, "error", err)
		}
	}
	return p, nil
}

func (t *Tokens) principal(ctx context.Context, found Token) (ResolvedToken, error) {
	p := ResolvedToken{Principal: tenants.Principal{
		Kind: tenants.KindToken, ID: found.ID, Name: found.MakerName + " (" + found.Label + ")", Scopes: []tenants.Scope{found.Scope},
	}}
	if found.Maker.Kind == tenants.KindLocal {
		p.CoopAdmin, p.SecondFact = found.Admin, found.Admin
		return p, nil
	}
	m, err := t.People.Person(ctx, found.Maker.ID)
	if errors.Is(err, tenants.ErrNotFound) {
		return p, ErrEnded
	}
	if err != nil {
		return p, fmt.Errorf("reading the token's maker: %w", err)
	}
	p.Email, p.Memberships = m.Email, m.Memberships
	p.CoopAdmin = found.Admin && m.CoopAdmin
	p.SecondFact = p.CoopAdmin
	p.Stale, err = t.stale(ctx, m)
	return p, err
}

// stale reports whether the maker's rights are too old to act on. The worker reads everybody's every few minutes; where
// it cannot, a person's rights are as old as their last sign-in or its renewal.
func (t *Tokens) stale(ctx context.Context, maker tenants.Member) (bool, error) {
	age, ever, err := t.People.RightsAge(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the age of rights: %w", err)
	}
	if !ever {
		age = t.Now().Sub(maker.SeenAt)
	}
	return age > t.Limits.copied(), nil
}

// List returns the principal's tokens; the local socket sees everybody's, so that a leaked one can be found.
func (t *Tokens) List(ctx context.Context, p tenants.Principal) ([]Token, error) {
	if p.Kind == tenants.KindToken {
		return nil, fmt.Errorf("a token sees no tokens: %w", tenants.ErrForbidden)
	}
	return t.Store.Tokens(ctx, scopeOf(p))
}

// Revoke ends one of the principal's tokens at once.
func (t *Tokens) Revoke(ctx context.Context, p tenants.Principal, address, id string) (Token, error) {
	if p.Kind == tenants.KindToken {
		return Token{}, fmt.Errorf("a token revokes no tokens: %w", tenants.ErrForbidden)
	}
	gone, err := t.Store.RevokeToken(ctx, id, scopeOf(p), t.Now().UTC())
	if err != nil {
		return gone, fmt.Errorf("revoking token: %w", err)
	}
	if t.Bell != nil {
		t.Bell.Ring()
	}
	t.note(ctx, p, address, "token.revoke", gone)
	return gone, nil
}

// RevokeAll ends every token a person made, as after a break-in.
func (t *Tokens) RevokeAll(ctx context.Context, subject string) (int64, error) {
	n, err := t.Store.RevokeTokensOf(ctx, Maker{Kind: tenants.KindPerson, ID: subject}, t.Now().UTC())
	if err != nil {
		return n, fmt.Errorf("revoking tokens: %w", err)
	}
	if t.Bell != nil {
		t.Bell.Ring()
	}
	return n, nil
}

// Of lists the tokens a person made.
func (t *Tokens) Of(ctx context.Context, subject string) ([]Token, error) {
	return t.Store.Tokens(ctx, Maker{Kind: tenants.KindPerson, ID: subject})
}

func scopeOf(p tenants.Principal) Maker {
	if p.Kind == tenants.KindLocal {
		return Maker{}
	}
	return makerOf(p)
}

func (t *Tokens) note(ctx context.Context, p tenants.Principal, address, action string, x Token) {
	err := t.Audit.Audit(ctx, tenants.AuditEntry{
		At: t.Now().UTC(), ActorKind: p.Kind, ActorID: p.ID, ActorName: p.Name, Address: address, Action: action,
		Detail: x.ID + " " + string(x.Scope) + " " + x.Label,
	})
	if err != nil {
		t.Log.ErrorContext(ctx, "audit entry not written", "action", action, "error", err)
	}
}
