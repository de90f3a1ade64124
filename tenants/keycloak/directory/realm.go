package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"chatiere/tenants/keycloak"
)

// Realm keeps the settings of our realm, or our part of an external one.
type Realm struct {
	Client *keycloak.Client
	Wanted keycloak.Realm
	// GroupRights is set if rights come from group paths, which a group's name must not be able to forge.
	GroupRights bool
	Log         *slog.Logger

	escapes atomic.Pointer[bool]
}

const (
	// ensureTimeout bounds Ensure, most of it waiting for Keycloak's start.
	ensureTimeout = 10 * time.Minute
	pingInterval  = time.Second
)

// Ensure waits for Keycloak and updates the settings.
func (r *Realm) Ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ensureTimeout)
	defer cancel()
	for r.Client.Ping(ctx) != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Keycloak to update the realm: %w", ctx.Err())
		case <-time.After(pingInterval):
		}
	}
	report, err := r.Client.EnsureRealm(ctx, r.Wanted)
	if len(report.Changed) > 0 {
		r.Log.Info("realm brought up to date", "changed", report.Changed)
	}
	if len(report.Advice) > 0 {
		r.Log.Warn("the realm should be changed by those who run it", "advice", report.Advice)
	}
	return errors.Join(err, r.checkEscaping(ctx))
}

// checkEscaping checks whether the name of a group can forge a path.
func (r *Realm) checkEscaping(ctx context.Context) error {
	if !r.GroupRights {
		return nil
	}
	escapes, err := r.Client.EscapesSlashes(ctx)
	if err == nil {
		r.escapes.Store(&escapes)
	}
	return err
}

// Escapes reports whether Keycloak escapes slashes in names of groups; nil while that has not been tried.
func (r *Realm) Escapes() *bool { return r.escapes.Load() }

// SignOut ends a person's sessions in the realm.
func (r *Realm) SignOut(ctx context.Context, subject string) error {
	return r.Client.Logout(ctx, subject)
}
