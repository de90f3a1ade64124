// Package findings keeps what the platform noticed: whoever looks an area over hands in all that it sees there now, and
// the book tells what is new, what still holds and what is over. It knows neither who looks nor who reads.
//
// Start reading at Book.Replace.
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
	// ForgetFindings removes those that ended before that instant.
	ForgetFindings(ctx context.Context, before time.Time) error
}

// Book is where findings are written. It is safe for concurrent use.
type Book struct {
	Records Records
	Now     func() time.Time
	Log     *slog.Logger
}

// Replace makes seen the open findings of a scope: new ones are opened and logged once, those that are no longer seen
// end. What lies outside the scope stays as it is; a finding of another scope is ErrInvalid. Since, Seen and Ended are
// the book's to fill in. When it fails nothing is lost: the next look brings the same set.
func (b *Book) Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
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

// Memory is how long a finding that is over can still be read.
const Memory = 30 * 24 * time.Hour

// Forget removes findings that ended long ago.
func (b *Book) Forget(ctx context.Context) error {
	return b.Records.ForgetFindings(ctx, b.Now().Add(-Memory))
}
