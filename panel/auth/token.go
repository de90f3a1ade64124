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
	Owner     Owner
	OwnerName string
	Admin     bool // the owner was a co-op admin with a second factor when making it
	Scope     tenants.Scope
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	RevokedAt *time.Time
}

// Owner is the person who made a token.
type Owner struct {
	Kind tenants.PrincipalKind // person or local
	ID   string
}

// tokenPrefix lets secret scanners and people recognise one.
const tokenPrefix = "chat_"

// tokenDigits is how many base-62 digits 256 bits take.
const tokenDigits = 43

const (
	defaultTokenDays = 90
	maxTokenDays     = 366
	maxTokenLabel    = 80
)

// Tokens makes, recognises and revokes API tokens.
type Tokens struct {
	Store   TokenStore
	Members MemberStore
	Audit   Auditor
	Changes *Changes // notified when one is revoked; may be nil
	Limits  Limits
	Now     func() time.Time
	Log     *slog.Logger
}

// TokenRequest is the input of Create.
type TokenRequest struct {
	Label string
	Scope tenants.Scope
	Days  int // 0: 90
}

// Create returns the token and its secret, which cannot be read again. The owner must have been authorised for
// tenants.ActTokensOwn; a token cannot make tokens, since they would outlive it.
func (t *Tokens) Create(ctx context.Context, p tenants.Principal, address string, request TokenRequest) (Token, string, error) {
	if p.Kind == tenants.KindToken || p.ID == BreakGlassSubject {
		return Token{}, "", fmt.Errorf("%s makes no tokens: %w", p.Kind, tenants.ErrForbidden)
	}
	label := strings.Join(strings.Fields(request.Label), " ")
	if request.Days == 0 {
		request.Days = defaultTokenDays
	}
	if faults := validateToken(label, request); len(faults) > 0 {
		return Token{}, "", faults
	}
	secret, now := newTokenSecret(), t.Now().UTC()
	made := Token{
		ID: "t" + strings.TrimPrefix(tenants.NewSiteID(), "s"), Label: label, Hash: hashOf(secret), Owner: ownerOf(p), OwnerName: p.Name,
		Admin: p.CoopAdmin && p.SecondFact, Scope: request.Scope, CreatedAt: now, ExpiresAt: now.AddDate(0, 0, request.Days),
	}
	if err := t.Store.InsertToken(ctx, made); err != nil {
		return Token{}, "", fmt.Errorf("storing token: %w", err)
	}
	t.audit(ctx, p, address, "token.create", made)
	return made, secret, nil
}

func validateToken(label string, request TokenRequest) tenants.Faults {
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
	if request.Scope != tenants.ScopeRead && request.Scope != tenants.ScopeWrite {
		faults = append(faults, tenants.Fault{Field: "scope", Code: "unknown"})
	}
	if request.Days < 1 || request.Days > maxTokenDays {
		faults = append(faults, tenants.Fault{Field: "days", Code: "malformed"})
	}
	return faults
}

func newTokenSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	digits := new(big.Int).SetBytes(b[:]).Text(62)
	return tokenPrefix + strings.Repeat("0", tokenDigits-len(digits)) + digits
}

// ownerOf returns the owner of p's tokens. Everybody who can open the local socket shares its tokens.
func ownerOf(p tenants.Principal) Owner { return Owner{Kind: p.Kind, ID: p.ID} }

// ResolvedToken is the principal of a token.
type ResolvedToken struct {
	tenants.Principal
	// Stale: nobody can tell whether the owner still has these rights, and nothing dangerous may be done with them.
	Stale bool
}

var noToken = ResolvedToken{Principal: tenants.Anonymous()}

// Resolve returns the principal of a secret, with at most the owner's current rights. It returns ErrEnded for an unknown,
// expired or revoked one.
func (t *Tokens) Resolve(ctx context.Context, secret string) (ResolvedToken, error) {
	if len(secret) != len(tokenPrefix)+tokenDigits || !strings.HasPrefix(secret, tokenPrefix) {
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
	if found.UsedAt == nil || now.Sub(*found.UsedAt) >= touchInterval {
		if err := t.Store.UseToken(ctx, found.ID, now); err != nil {
			t.Log.WarnContext(ctx, "use of token not noted", "token", found.ID, "error", err)
		}
	}
	return p, nil
}

func (t *Tokens) principal(ctx context.Context, found Token) (ResolvedToken, error) {
	p := ResolvedToken{Principal: tenants.Principal{
		Kind: tenants.KindToken, ID: found.ID, Name: found.OwnerName + " (" + found.Label + ")", Scopes: []tenants.Scope{found.Scope},
	}}
	if found.Owner.Kind == tenants.KindLocal {
		p.CoopAdmin, p.SecondFact = found.Admin, found.Admin
		return p, nil
	}
	m, err := t.Members.Person(ctx, found.Owner.ID)
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
	age, ever, err := t.Members.RightsAge(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the age of rights: %w", err)
	}
	if !ever {
		age = t.Now().Sub(maker.SeenAt)
	}
	return age > t.Limits.maxCopyAge(), nil
}

// List returns the principal's tokens; the local socket sees everybody's, so that a leaked one can be found.
func (t *Tokens) List(ctx context.Context, p tenants.Principal) ([]Token, error) {
	if p.Kind == tenants.KindToken {
		return nil, fmt.Errorf("a token sees no tokens: %w", tenants.ErrForbidden)
	}
	return t.Store.Tokens(ctx, ownerFilter(p))
}

// Revoke ends one of the principal's tokens at once.
func (t *Tokens) Revoke(ctx context.Context, p tenants.Principal, address, id string) (Token, error) {
	if p.Kind == tenants.KindToken {
		return Token{}, fmt.Errorf("a token revokes no tokens: %w", tenants.ErrForbidden)
	}
	gone, err := t.Store.RevokeToken(ctx, id, ownerFilter(p), t.Now().UTC())
	if err != nil {
		return gone, fmt.Errorf("revoking token: %w", err)
	}
	if t.Changes != nil {
		t.Changes.Notify()
	}
	t.audit(ctx, p, address, "token.revoke", gone)
	return gone, nil
}

// RevokeAll revokes every token of a person, as after a break-in.
func (t *Tokens) RevokeAll(ctx context.Context, subject string) (int64, error) {
	n, err := t.Store.RevokeTokensOf(ctx, Owner{Kind: tenants.KindPerson, ID: subject}, t.Now().UTC())
	if err != nil {
		return n, fmt.Errorf("revoking tokens: %w", err)
	}
	if t.Changes != nil {
		t.Changes.Notify()
	}
	return n, nil
}

// OwnedBy lists a person's tokens.
func (t *Tokens) OwnedBy(ctx context.Context, subject string) ([]Token, error) {
	return t.Store.Tokens(ctx, Owner{Kind: tenants.KindPerson, ID: subject})
}

func ownerFilter(p tenants.Principal) Owner {
	if p.Kind == tenants.KindLocal {
		return Owner{}
	}
	return ownerOf(p)
}

func (t *Tokens) audit(ctx context.Context, p tenants.Principal, address, action string, x Token) {
	err := t.Audit.Audit(ctx, tenants.AuditEntry{
		At: t.Now().UTC(), ActorKind: p.Kind, ActorID: p.ID, ActorName: p.Name, Address: address, Action: action,
		Detail: x.ID + " " + string(x.Scope) + " " + x.Label,
	})
	if err != nil {
		t.Log.ErrorContext(ctx, "audit entry not written", "action", action, "error", err)
	}
}
