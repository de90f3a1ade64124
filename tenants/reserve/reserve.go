// Package reserve keeps one site from filling the disk that all of them, the databases and the platform live on. It looks
// at the free space every few seconds; when what is left comes near the reserve, it finds the site that grows and freezes
// it: stopped at once, then suspended by an operation, so that its address says so, its data stays, and a volunteer can
// resume it once there is room.
//
// It knows no container and no file system. Start reading at Watch.Look.
package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// Taken is what a site has on the disk.
type Taken struct {
	Bytes int64
	Files int64
}

// Space is how a file system stands.
type Space struct {
	Free  int64 // bytes that may still be written
	Total int64
	Files int64 // files that may still be made; meaningless while Inodes is 0
	// Inodes is how many there can be; 0 where the file system does not count them.
	Inodes int64
}

// Disk tells how full it is, and of what.
type Disk interface {
	Space(ctx context.Context) (Space, error)
	// Taken measures a site. It may return what it had counted with an error.
	Taken(ctx context.Context, s tenants.Site) (Taken, error)
}

// Records lists sites and what was said of them.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	Findings(ctx context.Context, f tenants.FindingFilter) ([]tenants.Finding, error)
}

// Desk takes the wish that a site be suspended.
type Desk interface {
	SuspendSite(ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)
	// KeepSuspended makes a site in the bin come back suspended.
	KeepSuspended(ctx context.Context, r provision.Request, siteID string) error
}

// Book is where findings are written.
type Book interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Watch holds the ports. Look must not be called twice at a time.
type Watch struct {
	Disk    Disk
	Records Records
	Desk    Desk
	Book    Book
	// Stop ends a site's processes this instant, without asking them.
	Stop func(ctx context.Context, s tenants.Site) error
	// Reserve is what no site may eat, in bytes; 0 takes a twentieth of the disk, but at most 2 GiB.
	Reserve int64
	Now     func() time.Time
	Log     *slog.Logger

	mu     sync.Mutex
	known  map[string]Taken // what each site had while all was well
	before Space
	at     time.Time // of before; zero: never looked
	sites  []tenants.Site
	listed time.Time // when sites was read
	next   int       // whose turn it is to be measured while all is well
	frozen map[string]tenants.Finding
	shut   map[string]bool // those of them that were seen suspended
	told   time.Time
	saying string // what was told last
}

// Look looks once. While there is room it measures one site, so that growth can be told later; otherwise all of them.
func (w *Watch) Look(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.remember(ctx); err != nil {
		return err
	}
	space, err := w.Disk.Space(ctx)
	if err != nil {
		return fmt.Errorf("asking for the free space: %w", err)
	}
	short := w.short(space)
	sites, err := w.list(ctx, short)
	if err != nil {
		return err
	}
	err = w.pursue(ctx, sites)
	if short {
		err = errors.Join(err, w.relieve(ctx, sites, space))
	} else {
		w.measureNext(ctx, sites)
	}
	w.before, w.at = space, w.Now()
	if told := w.tell(ctx, sites, space); err == nil {
		err = told
	}
	return err
}

// list reads the sites anew when something is to be decided about one of them, and else now and then.
func (w *Watch) list(ctx context.Context, now bool) ([]tenants.Site, error) {
	if !now && len(w.frozen) == 0 && w.Now().Sub(w.listed) < stale {
		return w.sites, nil
	}
	sites, err := w.Records.LiveSites(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing live sites: %w", err)
	}
	w.sites, w.listed = sites, w.Now()
	return sites, nil
}

// remember takes over what a worker before this one has frozen.
func (w *Watch) remember(ctx context.Context) error {
	if w.frozen != nil {
		return nil
	}
	found, err := w.Records.Findings(ctx, tenants.FindingFilter{Area: tenants.AreaDisk})
	if err != nil {
		return fmt.Errorf("reading what was frozen: %w", err)
	}
	w.frozen, w.shut, w.known = map[string]tenants.Finding{}, map[string]bool{}, map[string]Taken{}
	for _, f := range found {
		if f.Code == tenants.FindingSiteFrozen && f.Open() {
			w.frozen[f.Subject], w.shut[f.Subject] = f, true
		}
	}
	return nil
}

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
	// ahead is how far the present rate is drawn on: measuring all sites and stopping one takes this long.
	ahead = 10 * time.Second
	// stale is how old the list of sites may be while all is well.
	stale = 20 * time.Second
	// inodes is the reserve of files, as a part of all there can be.
	inodes = 20
)

// Amount returns the reserve in force on a disk of that size, in bytes.
func Amount(configured, total int64) int64 {
	if configured > 0 {
		return configured
	}
	return min(total/20, 2*gibibyte)
}

// short reports whether the reserve is near, or will be before anything could be done about it at the present rate.
func (w *Watch) short(s Space) bool {
	reserve := Amount(w.Reserve, s.Total)
	return s.Free-w.loss(w.before.Free-s.Free) < reserve+reserve/2 ||
		s.Inodes > 0 && s.Files-w.loss(w.before.Files-s.Files) < (s.Inodes/inodes)*3/2
}

// loss is what goes in the time ahead when so much went since the last look.
func (w *Watch) loss(since int64) int64 {
	passed := w.Now().Sub(w.at)
	if w.at.IsZero() || since <= 0 || passed <= 0 {
		return 0
	}
	return int64(float64(since) * ahead.Seconds() / max(passed.Seconds(), 0.1))
}

// measureNext keeps one more site's size in mind.
func (w *Watch) measureNext(ctx context.Context, sites []tenants.Site) {
	live := map[string]bool{}
	for _, s := range sites {
		live[s.ID] = true
	}
	for id := range w.known {
		if !live[id] {
			delete(w.known, id)
		}
	}
	if len(sites) == 0 {
		return
	}
	w.next = (w.next + 1) % len(sites)
	if s := sites[w.next]; s.State != tenants.StateBinned {
		if taken, err := w.Disk.Taken(ctx, s); err == nil {
			w.known[s.ID] = taken
		}
	}
}
