// Package upkeep is the recurring care of sites and associations: probes, the applications' own scheduled tasks, disk
// measurements, the mirror of members, the end of the bin. Each round repeats freely; one site's trouble never keeps the
// others from their turn. It changes no site by itself: whatever must be repaired is the reconciler's.
package upkeep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/recovery"
)

// Records is what upkeep reads and notes.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	SaveProbe(ctx context.Context, siteID string, p tenants.Probe) error
	SaveDiskUsage(ctx context.Context, siteID string, bytes int64) error
	Associations(ctx context.Context) ([]tenants.Association, error)
	SaveMembers(ctx context.Context, associationID string, members []tenants.Member) error
	// SaveAdmins makes exactly the people with these subjects admins of the co-op.
	SaveAdmins(ctx context.Context, subjects []string) error
}

// Sizes measures what a site takes.
type Sizes interface {
	Usage(ctx context.Context, siteID string) (int64, error)
}

// Directory tells who belongs to an association, and who to the co-op's admins. An error means that it does not know:
// nobody's rights change then.
type Directory interface {
	Members(ctx context.Context, slug string) ([]tenants.Member, error)
	Admins(ctx context.Context) (subjects []string, err error)
}

// Hooks runs a hook of a site's template in its running container and returns what it printed; a template without that
// hook is success.
type Hooks interface {
	RunHook(ctx context.Context, s tenants.Site, name string) (output string, err error)
}

// Bin empties the bin of one site.
type Bin interface {
	PurgeSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
}

// Upkeep holds the ports.
type Upkeep struct {
	Records   Records
	Private   provision.Prober
	Files     Sizes
	Databases interface {
		Size(ctx context.Context, name string) (int64, error)
	}
	Directory Directory
	Hooks     Hooks
	Bin       Bin
	Sites     Reader
	Findings  Findings
	// Ready is the page by which a probe knows that a site works.
	Ready func(s tenants.Site) (tenants.Page, error)
	// CronEvery is how often the site's template wants its scheduled tasks run; 0: it has none.
	CronEvery func(s tenants.Site) (time.Duration, error)
	Now       func() time.Time
	Log       *slog.Logger

	mu       sync.Mutex
	suspects map[string]bool         // by site
	pulses   map[string]pulse        // by site
	tasks    map[string]*task        // by site
	access   map[string]accessAnswer // by site
}

const (
	// abreast bounds how many sites are looked at at a time: probes and cron wake PHP processes, and servers are small.
	abreast = 4
	// stagger is how long the next site waits for the one before: those that are well take their turns one by one and
	// leave the processors to visitors, those that hang overlap.
	stagger = 250 * time.Millisecond
)

const (
	// ProbeEvery is how often Probe should be called: each call takes its share of the sites, so that five hundred are not
	// woken at once.
	ProbeEvery = 5 * time.Second
	// How old a site's last probe may be: of one that was well, of one that was not, and of one whose visitors meet errors.
	// A probe wakes PHP, which then stays in memory for ten seconds: what nobody asks for is looked at rarely, beside its
	// pulse.
	calmAge    = 2 * time.Minute
	probeAge   = 30 * time.Second
	suspectAge = 10 * time.Second
	// probeTime bounds one probe: many sites that hang must not keep the others from being looked at.
	probeTime = 10 * time.Second
)

// Probe asks the ready sites whose probe is overdue longest for their page, and notes what it saw and when.
func (u *Upkeep) Probe(ctx context.Context) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = only(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady })
	now, suspects := u.Now(), u.takeSuspects()
	over := func(s tenants.Site) time.Duration { return now.Sub(s.Probe.At) - age(s, suspects[s.ID]) + ProbeEvery }
	share := max(abreast, len(sites)/int(probeAge/ProbeEvery)+1)
	slices.SortStableFunc(sites, func(a, b tenants.Site) int { return cmp.Compare(over(b), over(a)) })
	var due []tenants.Site
	for _, s := range sites {
		switch {
		case over(s) >= 0 && len(due) < share:
			due = append(due, s)
		case suspects[s.ID]:
			u.Suspect(s.ID) // its turn comes
		}
	}
	return u.all(ctx, due, u.probe)
}

func age(s tenants.Site, suspect bool) time.Duration {
	switch {
	case suspect:
		return suspectAge
	case s.Probe.Health == tenants.HealthUp:
		return calmAge
	}
	return probeAge
}

// Suspect has sites looked at soon: their visitors met errors.
func (u *Upkeep) Suspect(ids ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.suspect(ids...)
}

func (u *Upkeep) suspect(ids ...string) {
	if u.suspects == nil {
		u.suspects = map[string]bool{}
	}
	for _, id := range ids {
		u.suspects[id] = true
	}
}

func (u *Upkeep) takeSuspects() map[string]bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.suspects
	u.suspects = nil
	return taken
}

// ProbeSites asks some sites at once, as far as they are ready: something happened to them.
func (u *Upkeep) ProbeSites(ctx context.Context, ids []string) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = only(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady && slices.Contains(ids, s.ID) })
	return u.all(ctx, sites, u.probe)
}

func (u *Upkeep) probe(ctx context.Context, s tenants.Site) error {
	p := u.look(ctx, s)
	if ctx.Err() != nil { // cut short by our own end: that says nothing of the site
		return ctx.Err()
	}
	if p.Health != s.Probe.Health && s.Probe.Health != tenants.HealthUnknown {
		u.Log.Warn("a site's health changed", "site", s.ID, "host", s.Host, "from", s.Probe.Health, "to", p.Health, "detail", p.Detail)
	}
	return u.Records.SaveProbe(ctx, s.ID, p)
}

func (u *Upkeep) look(ctx context.Context, s tenants.Site) tenants.Probe {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	p := tenants.Probe{At: u.Now().UTC(), Health: tenants.HealthUp}
	want, err := u.Ready(s)
	if err == nil {
		err = u.Private.Check(ctx, s, want)
	}
	if err != nil {
		p.Health, p.Detail = tenants.HealthDown, err.Error()
	}
	return p
}

// Measure notes how many bytes each site takes, files and database together.
func (u *Upkeep) Measure(ctx context.Context) error {
	return u.each(ctx, "", func(ctx context.Context, s tenants.Site) error {
		files, err := u.Files.Usage(ctx, s.ID)
		if err != nil {
			return err
		}
		database, err := u.Databases.Size(ctx, s.Database())
		if err != nil {
			return err
		}
		return u.Records.SaveDiskUsage(ctx, s.ID, files+database)
	})
}

// Mirror copies who belongs to each association, and to the co-op's admins, from the directory. Tokens live by this copy:
// their makers may never sign in again.
func (u *Upkeep) Mirror(ctx context.Context) error {
	all, err := u.Records.Associations(ctx)
	if err != nil {
		return fmt.Errorf("listing associations: %w", err)
	}
	var faults []error
	for _, a := range all {
		if a.State != tenants.AssociationActive {
			continue
		}
		members, err := u.Directory.Members(ctx, a.Slug)
		if err == nil {
			err = u.Records.SaveMembers(ctx, a.ID, members)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("mirroring the members of %s: %w", a.Slug, err))
		}
	}
	return errors.Join(append(faults, u.mirrorAdmins(ctx))...)
}

func (u *Upkeep) mirrorAdmins(ctx context.Context) error {
	subjects, err := u.Directory.Admins(ctx)
	if err == nil {
		err = u.Records.SaveAdmins(ctx, subjects)
	}
	if err != nil {
		return fmt.Errorf("mirroring the admins of the co-op: %w", err)
	}
	return nil
}

// EmptyBin asks for the end of every site whose time in the bin is over.
func (u *Upkeep) EmptyBin(ctx context.Context) error {
	return u.each(ctx, tenants.StateBinned, func(ctx context.Context, s tenants.Site) error {
		due, binned := s.PurgeableAt()
		if !binned || u.Now().Before(due) {
			return nil
		}
		_, err := u.Bin.PurgeSite(ctx, provision.Request{Principal: tenants.System(), Key: "bin:" + s.ID}, s.ID)
		if errors.Is(err, operations.ErrBusy) {
			return nil
		}
		return err
	})
}

// each calls fn for every live site in the state ("" for all but those still being made), a few at a time.
func (u *Upkeep) each(ctx context.Context, state tenants.SiteState, fn func(context.Context, tenants.Site) error) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = only(sites, func(s tenants.Site) bool {
		return s.State != tenants.StateCreating && (state == "" || s.State == state)
	})
	return u.all(ctx, sites, fn)
}

func only(sites []tenants.Site, keep func(tenants.Site) bool) []tenants.Site {
	var out []tenants.Site
	for _, s := range sites {
		if keep(s) {
			out = append(out, s)
		}
	}
	return out
}

// guarded calls fn; a panic is its error, so that one site's trouble is not everybody's.
func guarded(ctx context.Context, s tenants.Site, fn func(context.Context, tenants.Site) error) (err error) {
	defer recovery.Error(&err)
	return fn(ctx, s)
}

// all calls fn for each of the sites, one by one as long as they are quick, else a few at a time.
func (u *Upkeep) all(ctx context.Context, sites []tenants.Site, fn func(context.Context, tenants.Site) error) error {
	var (
		mu     sync.Mutex
		faults []error
		wg     sync.WaitGroup
		slots  = make(chan struct{}, abreast)
	)
	for _, s := range sites {
		slots <- struct{}{}
		done := make(chan struct{})
		wg.Go(func() {
			defer func() { <-slots; close(done) }()
			if err := guarded(ctx, s, fn); err != nil {
				mu.Lock()
				faults = append(faults, fmt.Errorf("site %s: %w", s.ID, err))
				mu.Unlock()
			}
		})
		select {
		case <-done:
		case <-time.After(stagger):
		}
	}
	wg.Wait()
	return errors.Join(faults...)
}
