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

// Issue makes a link. If the audit entry cannot be written, no link is issued.
func (b *BreakGlass) Issue(ctx context.Context, p tenants.Principal) (key string, until time.Time, err error) {
	now := b.Now().UTC()
	if err := b.audit(ctx, p, "", "break_glass.issue"); err != nil {
		return "", until, err
	}
	key, until = randomSecret(), now.Add(linkLife)
	if err := b.Links.InsertLink(ctx, Link{Hash: hashOf(key), CreatedAt: now, ExpiresAt: until}); err != nil {
		return "", until, fmt.Errorf("storing link: %w", err)
	}
	return key, until, nil
}

// Check returns when a link expires, without using it up; ErrEnded when it is not valid.
func (b *BreakGlass) Check(ctx context.Context, key string) (time.Time, error) {
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
func (b *BreakGlass) Enter(ctx context.Context, key, former string, from Origin) (OpenedSession, error) {
	now := b.Now().UTC()
	err := b.Links.UseLink(ctx, hashOf(key), now)
	if errors.Is(err, tenants.ErrNotFound) {
		return OpenedSession{}, ErrEnded
	}
	if err != nil {
		return OpenedSession{}, fmt.Errorf("using link: %w", err)
	}
	x, cookie := b.Sessions.newSession(KindBreakGlass, now, breakGlassLife, from)
	x.Subject, x.Username, x.Name, x.CoopAdmin = BreakGlassSubject, BreakGlassSubject, "Break-glass", true
	if err := b.audit(ctx, x.Principal(), from.Address, "break_glass.use"); err != nil {
		return OpenedSession{}, err
	}
	if err := b.Sessions.CloseCookie(ctx, former); err != nil {
		return OpenedSession{}, err
	}
	if err := b.Sessions.Store.InsertSession(ctx, x); err != nil {
		return OpenedSession{}, fmt.Errorf("storing session: %w", err)
	}
	return OpenedSession{Session: x, Cookie: cookie, ReturnTo: "/"}, nil
}

func (b *BreakGlass) audit(ctx context.Context, p tenants.Principal, address, action string) error {
	err := b.Audit.Audit(ctx, tenants.AuditEntry{
		At: b.Now().UTC(), ActorKind: p.Kind, ActorID: p.ID, ActorName: p.Name, Address: address, Action: action,
	})
	if err != nil {
		return fmt.Errorf("writing audit entry: %w", err)
	}
	return nil
}
