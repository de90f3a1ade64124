package auth

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// BackChannel hears the issuer say that a session there is over.
type BackChannel struct {
	Provider *Provider
	Store    SessionSweeper
	Now      func() time.Time

	mu   sync.Mutex
	seen map[string]time.Time // token id → when it may be forgotten
}

// maxLogoutAge bounds what we accept and so what we must remember: Keycloak's tokens live two minutes.
const maxLogoutAge = 5 * time.Minute

// Logout verifies a logout token and ends the sessions it names. It answers ErrFlow for a token that is not one, is out of
// date, or was heard before.
func (b *BackChannel) Logout(ctx context.Context, raw string) (int64, error) {
	c, err := b.Provider.connected()
	if err != nil {
		return 0, err
	}
	t, err := c.verifier.VerifyLogout(ctx, raw)
	if err != nil {
		return 0, fmt.Errorf("verifying logout token: %w: %w", ErrFlow, err)
	}
	now := b.Now()
	if age := now.Sub(t.IssuedAt); age > maxLogoutAge || age < -maxLogoutAge {
		return 0, fmt.Errorf("logout token issued at %s: %w", t.IssuedAt, ErrFlow)
	}
	if !b.first(t.TokenID, now) {
		return 0, fmt.Errorf("logout token heard before: %w", ErrFlow)
	}
	n, err := b.Store.DeleteSessionsOf(ctx, t.SessionID, t.Subject)
	if err != nil {
		b.forget(t.TokenID)
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	return n, nil
}

// first only grows with tokens that the issuer has signed.
func (b *BackChannel) first(id string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen == nil {
		b.seen = map[string]time.Time{}
	}
	for old, until := range b.seen {
		if until.Before(now) {
			delete(b.seen, old)
		}
	}
	if _, again := b.seen[id]; again {
		return false
	}
	b.seen[id] = now.Add(2 * maxLogoutAge)
	return true
}

func (b *BackChannel) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.seen, id)
}
