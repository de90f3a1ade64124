// Package freeze takes sites that harm others off the server: stopped at once, then suspended by an operation, so that
// their address says so, their data stays, and a volunteer can resume them. It remembers who is frozen and reports it as
// findings until a volunteer has decided.
//
// It does not know why a site is frozen; the guards of the disk and of the sites' database do. Start reading at
// Freezer.Freeze.
package freeze

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// Records lists what was reported before, and tells how an operation ended.
type Records interface {
	Findings(ctx context.Context, f tenants.FindingFilter) ([]tenants.Finding, error)
	Operation(ctx context.Context, id string) (operations.Operation, error)
}

// Requests takes the request that a site be suspended.
type Requests interface {
	SuspendSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	// KeepSuspended makes a site in the bin come back suspended.
	KeepSuspended(ctx context.Context, r provision.Request, siteID string) error
}

// Store keeps findings.
type Store interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Freezer freezes sites for one reason. Its methods must not be called at the same time.
type Freezer struct {
	Records  Records
	Requests Requests
	Findings Store
	// Stop ends a site's processes this instant, without asking them.
	Stop func(ctx context.Context, s tenants.Site) error
	Area tenants.Area
	Code tenants.FindingCode // of the findings that say that a site is frozen
	// Also are other codes of the area that Report replaces.
	Also []tenants.FindingCode
	Now  func() time.Time
	Log  *slog.Logger

	frozen     map[string]tenants.Finding
	asked      map[string]string // the operations that suspend them, until they are known to have ended
	shut       map[string]bool   // those of them that were seen suspended
	reported   string            // what was reported last
	reportedAt time.Time
}

const (
	// patience is how long a freeze may take to show in the site's state.
	patience = 5 * time.Minute
	// repeat is how often what has not changed is reported again, so that the finding is seen to hold.
	repeat = time.Minute
)

// Restore reads what a predecessor froze. It does so once.
func (f *Freezer) Restore(ctx context.Context) error {
	if f.frozen != nil {
		return nil
	}
	found, err := f.Records.Findings(ctx, tenants.FindingFilter{Area: f.Area})
	if err != nil {
		return fmt.Errorf("reading what was frozen: %w", err)
	}
	f.frozen, f.shut, f.asked = map[string]tenants.Finding{}, map[string]bool{}, map[string]string{}
	for _, x := range found {
		if x.Code == f.Code && x.Open() {
			f.frozen[x.Subject], f.shut[x.Subject] = x, true
		}
	}
	return nil
}

// Frozen reports whether the site is frozen, as far as this freezer is concerned.
func (f *Freezer) Frozen(siteID string) bool { _, ok := f.frozen[siteID]; return ok }

// Any reports whether any site is.
func (f *Freezer) Any() bool { return len(f.frozen) > 0 }

// Freeze stops the site, has it suspended and will report it with these arguments.
func (f *Freezer) Freeze(ctx context.Context, s tenants.Site, args map[string]string) error {
	f.frozen[s.ID] = tenants.Finding{
		Area: f.Area, Subject: s.ID, Code: f.Code, Level: tenants.LevelTrouble, Since: f.Now(), Args: args,
	}
	return f.stop(ctx, s)
}

// SuspendFrozen freezes again what was frozen and still runs: other work on the site stood in the way. What was suspended and is
// ready again was resumed, however quickly.
func (f *Freezer) SuspendFrozen(ctx context.Context, sites []tenants.Site) error {
	var faults []error
	for _, s := range sites {
		if err := f.suspend(ctx, s); err != nil {
			faults = append(faults, err)
			continue
		}
		if f.Frozen(s.ID) && s.State == tenants.StateBinned && s.BinnedFrom != tenants.StateSuspended {
			// It was deleted before it could be suspended; bringing it back must not set it going.
			err := f.Requests.KeepSuspended(ctx, provision.Request{Principal: tenants.System()}, s.ID)
			if !errors.Is(err, tenants.ErrConflict) {
				faults = append(faults, err)
			}
		}
		if f.Frozen(s.ID) && !f.shut[s.ID] && f.asked[s.ID] == "" && s.State != tenants.StateSuspended && s.State != tenants.StateBinned {
			faults = append(faults, f.stop(ctx, s))
		}
	}
	return errors.Join(faults...)
}

// suspend notes how the operation ended that suspends a site.
func (f *Freezer) suspend(ctx context.Context, s tenants.Site) error {
	id := f.asked[s.ID]
	if id == "" || s.State != tenants.StateReady {
		return nil
	}
	op, err := f.Records.Operation(ctx, id)
	if err != nil && !errors.Is(err, operations.ErrNotFound) {
		return fmt.Errorf("asking how the suspension of site %s ended: %w", s.ID, err)
	}
	if err != nil || op.State.Ended() {
		f.shut[s.ID] = op.State == operations.Done
		delete(f.asked, s.ID)
	}
	return nil
}

// stop stops first and asks afterwards: each second counts. A site on which other work is being done is stopped all the
// same; the request is repeated by Pursue.
func (f *Freezer) stop(ctx context.Context, s tenants.Site) error {
	stopped := f.Stop(ctx, s)
	if s.State != tenants.StateReady {
		return stopped
	}
	op, err := f.Requests.SuspendSite(ctx, provision.Request{Principal: tenants.System()}, s.ID)
	if errors.Is(err, operations.ErrBusy) || errors.Is(err, tenants.ErrConflict) {
		f.Log.Info("a site to be frozen is being worked on", "site", s.ID, "error", err)
		err = nil
	} else if err == nil {
		f.asked[s.ID] = op.ID
	}
	if err := errors.Join(stopped, err); err != nil {
		return fmt.Errorf("freezing site %s: %w", s.ID, err)
	}
	return nil
}

// Report stores the findings, these others included, when something is new or some time has passed. It returns the sites
// that are no longer frozen: resumed, in the bin to come back suspended, gone, or never suspended after all.
func (f *Freezer) Report(ctx context.Context, sites []tenants.Site, others ...tenants.Finding) (released []string, err error) {
	now := map[string]tenants.Site{}
	for _, s := range sites {
		now[s.ID] = s
	}
	seen := slices.Clone(others)
	for _, id := range slices.Sorted(maps.Keys(f.frozen)) {
		f.shut[id] = f.shut[id] || now[id].State == tenants.StateSuspended
		if f.over(id, now[id]) {
			delete(f.frozen, id)
			delete(f.shut, id)
			delete(f.asked, id)
			released = append(released, id)
			continue
		}
		seen = append(seen, f.frozen[id])
	}
	saying := summary(seen)
	if saying == f.reported && f.Now().Sub(f.reportedAt) < repeat {
		return released, nil
	}
	codes := append([]tenants.FindingCode{f.Code}, f.Also...)
	if err := f.Findings.Replace(ctx, tenants.FindingScope{Area: f.Area, Codes: codes}, seen); err != nil {
		return released, err
	}
	f.reported, f.reportedAt = saying, f.Now()
	return released, nil
}

func (f *Freezer) over(id string, now tenants.Site) bool {
	switch now.State {
	case tenants.StateSuspended:
		return false
	case tenants.StateBinned:
		return now.BinnedFrom == tenants.StateSuspended
	case tenants.StateReady, tenants.StateCreating:
		return f.shut[id] || f.Now().Sub(f.frozen[id].Since) > patience
	}
	return true
}

func summary(seen []tenants.Finding) string {
	var b strings.Builder
	for _, x := range seen {
		b.WriteString(string(x.Code) + " " + x.Subject + "\n")
	}
	return b.String()
}
