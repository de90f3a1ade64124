// Package jobs has the recurring jobs for sites and associations: probes, the applications' own scheduled tasks, disk
// measurements, the copy of members, purging the bin. Each job can be repeated at any time, and a fault of one site does
// not affect the others. It changes no site by itself: the reconciler repairs.
package jobs

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

// Records is what the jobs read and write.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	Site(ctx context.Context, id string) (tenants.Site, error)
	SaveProbe(ctx context.Context, siteID string, p tenants.Probe) error
	SaveDiskUsage(ctx context.Context, siteID string, bytes int64) error
	Associations(ctx context.Context) ([]tenants.Association, error)
	SaveMembers(ctx context.Context, associationID string, members []tenants.Member) error
	// SaveAdmins makes exactly the people with these subjects admins of the co-op.
	SaveAdmins(ctx context.Context, subjects []string) error
}

// DiskUsage measures a site's files.
type DiskUsage interface {
	Usage(ctx context.Context, siteID string) (int64, error)
}

// Directory lists the members of an association and the co-op's admins. After an error nobody's rights change.
type Directory interface {
	Members(ctx context.Context, slug string) ([]tenants.Member, error)
	Admins(ctx context.Context) (subjects []string, err error)
}

// Hooks runs a hook of a site's template in its running container and returns what it printed; a template without that
// hook is success.
type Hooks interface {
	RunHook(ctx context.Context, s tenants.Site, name string) (output string, err error)
}

// Bin purges one site.
type Bin interface {
	PurgeSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
}

// Jobs runs the jobs.
type Jobs struct {
	Records   Records
	Private   provision.Prober
	Files     DiskUsage
	Databases interface {
		Size(ctx context.Context, name string) (int64, error)
	}
	Directory Directory
	Hooks     Hooks
	Bin       Bin
	Sites     Reader
	Findings  Findings
	// Definition returns what the site's release fixes: the page by which a probe knows that it works, how often its
	// scheduled tasks want to run.
	Definition func(ctx context.Context, s tenants.Site) (tenants.Definition, error)
	Now        func() time.Time
	Log        *slog.Logger

	mu       sync.Mutex
	suspects map[string]bool           // by site
	pulses   map[string]pulse          // by site
	tasks    map[string]*task          // by site
	access   map[string]htaccessReport // by site
}

const (
	// maxParallel bounds how many sites are checked at a time: probes and cron start PHP processes, and servers are small.
	maxParallel = 4
	// stagger is how long a site waits for the previous one: healthy sites are checked one after the other and leave the
	// processors to visitors, those that hang overlap.
	stagger = 250 * time.Millisecond
)

const (
	// ProbeInterval is how often Probe should be called: each call takes its share of the sites, so that five hundred are not
	// woken at once.
	ProbeInterval = 5 * time.Second
	// How old the last probe may be of a healthy site, of an unhealthy one, and of one whose visitors get errors. A probe
	// starts PHP, which then stays in memory for ten seconds, so healthy sites are probed rarely; Pulse covers the rest.
	healthyAge = 2 * time.Minute
	probeAge   = 30 * time.Second
	suspectAge = 10 * time.Second
	// probeTimeout bounds one probe: many sites that hang must not delay the others.
	probeTimeout = 10 * time.Second
)

// Probe checks the pages of the ready sites whose probe is overdue longest and records the results.
func (u *Jobs) Probe(ctx context.Context) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = filter(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady })
	now, suspects := u.Now(), u.takeSuspects()
	over := func(s tenants.Site) time.Duration {
		return now.Sub(s.Probe.At) - maxProbeAge(s, suspects[s.ID]) + ProbeInterval
	}
	share := max(maxParallel, len(sites)/int(probeAge/ProbeInterval)+1)
	slices.SortStableFunc(sites, func(a, b tenants.Site) int { return cmp.Compare(over(b), over(a)) })
	var due []tenants.Site
	for _, s := range sites {
		switch {
		case over(s) >= 0 && len(due) < share:
			due = append(due, s)
		case suspects[s.ID]:
			u.Suspect(s.ID) // it comes later
		}
	}
	return u.forSites(ctx, due, u.probe)
}

func maxProbeAge(s tenants.Site, suspect bool) time.Duration {
	switch {
	case suspect:
		return suspectAge
	case s.Probe.Health == tenants.HealthUp:
		return healthyAge
	}
	return probeAge
}

// Suspect makes sites due soon: their visitors got errors.
func (u *Jobs) Suspect(ids ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.suspect(ids...)
}

func (u *Jobs) suspect(ids ...string) {
	if u.suspects == nil {
		u.suspects = map[string]bool{}
	}
	for _, id := range ids {
		u.suspects[id] = true
	}
}

func (u *Jobs) takeSuspects() map[string]bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.suspects
	u.suspects = nil
	return taken
}

// ProbeSites probes the given sites at once if they are ready, after an event.
func (u *Jobs) ProbeSites(ctx context.Context, ids []string) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = filter(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady && slices.Contains(ids, s.ID) })
	return u.forSites(ctx, sites, u.probe)
}

func (u *Jobs) probe(ctx context.Context, s tenants.Site) error {
	p := u.runProbe(ctx, s)
	if p.Health == tenants.HealthDown { // the site may have been closed, or got another release, since it was read
		now, err := u.Records.Site(ctx, s.ID)
		switch {
		case err != nil:
		case now.State != tenants.StateReady:
			return nil // closed meanwhile: nobody expects an answer
		case now.Release.ID != s.Release.ID:
			s = now
			p = u.runProbe(ctx, s)
		}
	}
	if ctx.Err() != nil { // interrupted by our own shutdown: no result
		return ctx.Err()
	}
	if p.Health != s.Probe.Health && s.Probe.Health != tenants.HealthUnknown {
		u.Log.Warn("a site's health changed", "site", s.ID, "host", s.Host, "from", s.Probe.Health, "to", p.Health, "detail", p.Detail)
	}
	return u.Records.SaveProbe(ctx, s.ID, p)
}

func (u *Jobs) runProbe(ctx context.Context, s tenants.Site) tenants.Probe {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	p := tenants.Probe{At: u.Now().UTC(), Health: tenants.HealthUp}
	d, err := u.Definition(ctx, s)
	if err == nil {
		err = u.Private.Check(ctx, s, d.Ready)
	}
	if err != nil {
		p.Health, p.Detail = tenants.HealthDown, err.Error()
	}
	return p
}

// MeasureDisk records the size of each site, files and database together.
func (u *Jobs) MeasureDisk(ctx context.Context) error {
	return u.forLiveSites(ctx, "", func(ctx context.Context, s tenants.Site) error {
		files, err := u.Files.Usage(ctx, s.ID)
		if err != nil {
			return err
		}
		if s.Database() == "" { // it lies among the files, or there is none
			return u.Records.SaveDiskUsage(ctx, s.ID, files)
		}
		database, err := u.Databases.Size(ctx, s.Database())
		if err != nil {
			return err
		}
		return u.Records.SaveDiskUsage(ctx, s.ID, files+database)
	})
}

// MirrorMembers copies the members of each association and the co-op's admins from the directory. The rights of API tokens
// depend on this copy: their owners may never sign in again.
func (u *Jobs) MirrorMembers(ctx context.Context) error {
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

func (u *Jobs) mirrorAdmins(ctx context.Context) error {
	subjects, err := u.Directory.Admins(ctx)
	if err == nil {
		err = u.Records.SaveAdmins(ctx, subjects)
	}
	if err != nil {
		return fmt.Errorf("mirroring the admins of the co-op: %w", err)
	}
	return nil
}

// EmptyBin requests the purge of every site whose time in the bin is over.
func (u *Jobs) EmptyBin(ctx context.Context) error {
	return u.forLiveSites(ctx, tenants.StateBinned, func(ctx context.Context, s tenants.Site) error {
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

// forLiveSites calls fn for every live site in the state ("" for all but those still being made), a few at a time.
func (u *Jobs) forLiveSites(ctx context.Context, state tenants.SiteState, fn func(context.Context, tenants.Site) error) error {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	sites = filter(sites, func(s tenants.Site) bool {
		return s.State != tenants.StateCreating && (state == "" || s.State == state)
	})
	return u.forSites(ctx, sites, fn)
}

func filter(sites []tenants.Site, keep func(tenants.Site) bool) []tenants.Site {
	var out []tenants.Site
	for _, s := range sites {
		if keep(s) {
			out = append(out, s)
		}
	}
	return out
}

// callRecovered calls fn and turns a panic into an error, so that it affects one site only.
func callRecovered(ctx context.Context, s tenants.Site, fn func(context.Context, tenants.Site) error) (err error) {
	defer recovery.Error(&err)
	return fn(ctx, s)
}

// forSites calls fn for each of the sites, one after the other while they are quick, otherwise a few at a time.
func (u *Jobs) forSites(ctx context.Context, sites []tenants.Site, fn func(context.Context, tenants.Site) error) error {
	var (
		mu     sync.Mutex
		faults []error
		wg     sync.WaitGroup
		slots  = make(chan struct{}, maxParallel)
	)
	for _, s := range sites {
		slots <- struct{}{}
		done := make(chan struct{})
		wg.Go(func() {
			defer func() { <-slots; close(done) }()
			if err := callRecovered(ctx, s, fn); err != nil {
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
