package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatiere/tenants"
)

// Link is a break-glass link; only its hash is known.
type Link struct {
	Hash      Hash
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
}

const (
	linkLife       = 15 * time.Minute
	breakGlassLife = time.Hour
)

// BreakGlass is the way in while the issuer is away: whoever is root on the server makes a link that opens one session.
type BreakGlass struct {
	Links    LinkStore
	Sessions *Sessions
	Audit    Auditor
	Now      func() time.Time
}

// Issue makes a link. What cannot be written to the audit trail is not issued.
func (b *BreakGlass) Issue(ctx context.Context, p tenants.Principal) (key string, until time.Time, err error) {
	now := b.Now().UTC()
	if err := b.note(ctx, p, "", "break_glass.issue"); err != nil {
		return "", until, err
	}
	key, until = randomSecret(), now.Add(linkLife)
	if err := b.Links.InsertLink(ctx, Link{Hash: hashOf(key), CreatedAt: now, ExpiresAt: until}); err != nil {
		return "", until, fmt.Errorf("storing link: %w", err)
	}
	return key, until, nil
}

// Look tells until when a link is good, without using it up; ErrEnded when it is not.
func (b *BreakGlass) Look(ctx context.Context, key string) (time.Time, error) {
	l, err := b.Links.Link(ctx, hashOf(key))
	if errors.Is(err, tenants.ErrNotFound) {
		return time.Time{}, ErrEnded
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading link: %w", err)
	}
	if l.UsedAt != nil || !b.Now().Before(l.ExpiresAt) {
		return time.Time{}, ErrEnded
	}
	return l.ExpiresAt, nil
}

// Enter uses the link up and opens a session of one hour with an admin's rights. former is the browser's session cookie.
func (b *BreakGlass) Enter(ctx context.Context, key, former string, from Origin) (Arrival, error) {
	now := b.Now().UTC()
	err := b.Links.UseLink(ctx, hashOf(key), now)
	if errors.Is(err, tenants.ErrNotFound) {
		return Arrival{}, ErrEnded
	}
	if err != nil {
		return Arrival{}, fmt.Errorf("using link: %w", err)
	}
	x, cookie := b.Sessions.fresh(KindBreakGlass, now, breakGlassLife, from)
	x.Subject, x.Username, x.Name, x.CoopAdmin = BreakGlassSubject, BreakGlassSubject, "Break-glass", true
	if err := b.note(ctx, x.Principal(), from.Address, "break_glass.use"); err != nil {
		return Arrival{}, err
	}
	if err := b.Sessions.CloseCookie(ctx, former); err != nil {
		return Arrival{}, err
	}
	if err := b.Sessions.Store.InsertSession(ctx, x); err != nil {
		return Arrival{}, fmt.Errorf("storing session: %w", err)
	}
	return Arrival{Session: x, Cookie: cookie, Return: "/"}, nil
}

func (b *BreakGlass) note(ctx context.Context, p tenants.Principal, address, action string) error {
	err := b.Audit.Audit(ctx, tenants.AuditEntry{
		At: b.Now().UTC(), ActorKind: p.Kind, ActorID: p.ID, ActorName: p.Name, Address: address, Action: action,
	})
	if err != nil {
		return fmt.Errorf("writing audit entry: %w", err)
	}
	return nil
}
