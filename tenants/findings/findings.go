// Package findings stores what the platform noticed: each checker replaces the complete set of findings of its scope, and
// the store derives what is new, what continues and what has ended. It knows neither the checkers nor the readers.
//
// Start reading at Store.Replace.
package findings

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"chatiere/tenants"
)

// Records keeps findings across restarts.
type Records interface {
	// ReplaceFindings makes seen the open findings of a scope, at that instant, and returns those that are new and
	// those that are over.
	ReplaceFindings(ctx context.Context, scope tenants.FindingScope, at time.Time, seen []tenants.Finding) (opened, ended []tenants.Finding, err error)
	// DeleteFindings removes those that ended before that instant.
	DeleteFindings(ctx context.Context, before time.Time) error
}

// Store writes findings. It is safe for concurrent use.
type Store struct {
	Records Records
	Now     func() time.Time
	Log     *slog.Logger
}

// Replace makes seen the open findings of a scope: new ones are opened and logged once, those that are no longer in the
// set end. Findings outside the scope do not change; one of another scope in seen is ErrInvalid. The store sets Since,
// Seen and Ended. When it fails nothing is lost: the next check brings the same set.
func (b *Store) Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	for _, f := range seen {
		if !scope.Holds(f) || f.Code == "" || f.Level == "" {
			return fmt.Errorf("replacing findings of %s: %s about %q does not belong there: %w", scope.Area, f.Code, f.Subject, tenants.ErrInvalid)
		}
	}
	opened, ended, err := b.Records.ReplaceFindings(ctx, scope, b.Now(), seen)
	if err != nil {
		return fmt.Errorf("replacing findings of %s: %w", scope.Area, err)
	}
	for _, f := range opened {
		b.Log.WarnContext(ctx, "found", "area", f.Area, "subject", f.Subject, "code", f.Code, "level", f.Level, "detail", f.Args)
	}
	for _, f := range ended {
		b.Log.InfoContext(ctx, "found no longer", "area", f.Area, "subject", f.Subject, "code", f.Code, "since", f.Since)
	}
	return nil
}

// Retention is how long a finding that has ended can still be read.
const Retention = 30 * 24 * time.Hour

// Prune removes findings that ended longer than Retention ago.
func (b *Store) Prune(ctx context.Context) error {
	return b.Records.DeleteFindings(ctx, b.Now().Add(-Retention))
}
