package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/identity"
)

// BackChannel receives the issuer's logout tokens.
type BackChannel struct {
	Provider *identity.Provider
	Store    LogoutStore
	Changes  *Changes
	Audit    Auditor
	Now      func() time.Time
}

// maxLogoutAge bounds what we accept and so what we must remember: Keycloak's tokens live two minutes.
const maxLogoutAge = 5 * time.Minute

// Logout verifies a logout token and ends the sessions it names. It returns ErrFlow for a token that is invalid, expired
// or was used before.
func (b *BackChannel) Logout(ctx context.Context, raw string) (int64, error) {
	t, err := b.Provider.VerifyLogout(ctx, raw)
	if errors.Is(err, identity.ErrToken) {
		return 0, fmt.Errorf("%w: %w", ErrFlow, err)
	}
	if err != nil {
		return 0, err
	}
	now := b.Now()
	if age := now.Sub(t.IssuedAt); age > maxLogoutAge || age < -maxLogoutAge {
		return 0, fmt.Errorf("logout token issued at %s: %w", t.IssuedAt, ErrFlow)
	}
	n, err := b.Store.RecordLogout(ctx, hashOf(t.TokenID), now.Add(2*maxLogoutAge), t.SessionID, t.Subject)
	if errors.Is(err, tenants.ErrConflict) {
		return 0, fmt.Errorf("logout token used before: %w", ErrFlow)
	}
	if err != nil {
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	b.Changes.Notify()
	if n == 0 {
		return 0, nil
	}
	err = b.Audit.Audit(ctx, tenants.AuditEntry{
		At: now.UTC(), ActorKind: tenants.KindSystem, ActorName: tenants.System().Name, Action: "session.issuer_end",
		Detail: fmt.Sprintf("%d of %s", n, t.Subject),
	})
	if err != nil {
		return n, fmt.Errorf("writing audit entry: %w", err)
	}
	return n, nil
}
