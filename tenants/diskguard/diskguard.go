// Package diskguard prevents one site from filling the disk that all sites, the databases and the platform share. It checks
// the free space every second; when it comes near the reserve, it finds the site that grows and freezes it: the site is
// stopped at once and then suspended by an operation, so that its address shows a page, its data stays, and a volunteer
// can resume it once there is space.
//
// It knows no container and no file system. Start reading at Guard.Check.
package diskguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/freeze"
)

// Usage is a site's disk usage.
type Usage struct {
	Bytes int64
	Files int64
}

// Space is the capacity and the free space of a file system.
type Space struct {
	Free  int64 // bytes that may still be written
	Total int64
	Files int64 // files that may still be made; meaningless while Inodes is 0
	// Inodes is how many there can be; 0 where the file system does not count them.
	Inodes int64
}

// Disk measures free space and sites.
type Disk interface {
	Space(ctx context.Context) (Space, error)
	// SiteUsage measures a site. If the tree cannot be walked completely, the partial sum is returned together with an
	// error.
	SiteUsage(ctx context.Context, s tenants.Site) (Usage, error)
	// Clean removes everything but sockets from the directories of a site's sockets, which the site can write to.
	Clean(ctx context.Context, s tenants.Site) error
	// Written returns how many bytes the processes of each site have written so far, less truncated ones. What a process
	// wrote between the last call and its end is missing.
	Written(ctx context.Context, sites []tenants.Site) (map[string]int64, error)
}

// Records lists sites.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
}

// Guard checks the disk. Calls of Check are serialised.
type Guard struct {
	Disk    Disk
	Records Records
	Freezer *freeze.Freezer // area disk, code site-frozen, disk-reserve beside it
	// Reserve is the free space that sites must leave, in bytes; 0: a twentieth of the disk, at most 2 GiB.
	Reserve int64
	Now     func() time.Time
	Log     *slog.Logger

	mu             sync.Mutex
	baseline       map[string]siteBaseline // usage of each site when there was enough space
	lastSpace      Space
	lastCheck      time.Time // of before; zero: never looked
	sites          []tenants.Site
	listedAt       time.Time // when sites was read
	next           int       // index of the site to measure next while there is enough space
	remaining      int       // sites still to be measured in this round
	roundStart     Space     // free space when the last round began
	written        map[string]int64
	writtenAt      time.Time // when written was read
	writtenUnknown bool      // it could not be read
}

// siteBaseline is the reference for a site's growth.
type siteBaseline struct {
	Usage
	written int64
}

// Check checks once. While there is enough space and nothing is written it only reads the free space; while something is
// written it measures one site, as a baseline for later; when space is short, it measures all of them.
func (w *Guard) Check(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.Freezer.Restore(ctx); err != nil {
		return err
	}
	space, err := w.Disk.Space(ctx)
	if err != nil {
		return fmt.Errorf("reading the free space: %w", err)
	}
	short := w.spaceShort(space)
	sites, err := w.liveSites(ctx, short)
	if err != nil {
		return err
	}
	w.readWritten(ctx, sites, space, short)
	err = w.Freezer.SuspendFrozen(ctx, sites)
	if short {
		err = errors.Join(err, w.freezeLargestGrowth(ctx, sites, space))
	} else {
		w.measureNext(ctx, sites, space)
	}
	w.lastSpace, w.lastCheck = space, w.Now()
	if reported := w.report(ctx, sites, space); err == nil {
		err = reported
	}
	return err
}

// liveSites reads the sites when a decision is needed, and otherwise from time to time.
func (w *Guard) liveSites(ctx context.Context, now bool) ([]tenants.Site, error) {
	if !now && !w.Freezer.Any() && w.Now().Sub(w.listedAt) < sitesMaxAge {
		return w.sites, nil
	}
	sites, err := w.Records.LiveSites(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing live sites: %w", err)
	}
	w.sites, w.listedAt = sites, w.Now()
	return sites, nil
}

// report stores the findings about the disk. The present usage of a released site is its new baseline.
func (w *Guard) report(ctx context.Context, sites []tenants.Site, space Space) error {
	var others []tenants.Finding
	if f, low := w.reserveFinding(space); low {
		others = append(others, f)
	}
	released, err := w.Freezer.Report(ctx, sites, others...)
	for _, id := range released {
		delete(w.baseline, id)
		w.remaining = len(sites)
	}
	return err
}

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
	// lookAhead is how far the present rate is extrapolated: measuring all sites and stopping one takes this long.
	lookAhead = 10 * time.Second
	// sitesMaxAge is how old the list of sites may be while there is enough space.
	sitesMaxAge = 20 * time.Second
	// writtenInterval is how often Written is called while there is enough space.
	writtenInterval = 10 * time.Second
	// inodeReserve is the reserve of inodes: one in so many.
	inodeReserve = 20
)

// ReserveBytes returns the reserve on a disk of that size.
func ReserveBytes(configured, total int64) int64 {
	if configured > 0 {
		return configured
	}
	return min(total/20, 2*gibibyte)
}

// spaceShort reports whether the free space is near the reserve, or will be within lookAhead at the present rate.
func (w *Guard) spaceShort(s Space) bool {
	reserve := ReserveBytes(w.Reserve, s.Total)
	return s.Free-w.projectedLoss(w.lastSpace.Free-s.Free) < reserve+reserve/2 ||
		s.Inodes > 0 && s.Files-w.projectedLoss(w.lastSpace.Files-s.Files) < (s.Inodes/inodeReserve)*3/2
}

// projectedLoss extrapolates the loss since the last check over lookAhead.
func (w *Guard) projectedLoss(since int64) int64 {
	passed := w.Now().Sub(w.lastCheck)
	if w.lastCheck.IsZero() || since <= 0 || passed <= 0 {
		return 0
	}
	return int64(float64(since) * lookAhead.Seconds() / max(passed.Seconds(), 0.1))
}

// notableGrowth is the smallest growth for which a site can be frozen, so that normal log files do not count.
func (w *Guard) notableGrowth(s Space) int64 {
	return min(max(ReserveBytes(w.Reserve, s.Total)/16, 4*mebibyte), 256*mebibyte)
}

// readWritten calls Written: always while the free space falls, and otherwise from time to time.
func (w *Guard) readWritten(ctx context.Context, sites []tenants.Site, s Space, short bool) {
	falls := !w.lastCheck.IsZero() && w.lastSpace.Free-s.Free > mebibyte
	if !short && !falls && w.remaining == 0 && w.Now().Sub(w.writtenAt) < writtenInterval {
		return
	}
	w.writtenAt = w.Now()
	written, err := w.Disk.Written(ctx, sites)
	if err != nil {
		if !w.writtenUnknown {
			w.Log.Warn("bytes written by sites are not known", "error", err)
		}
		w.writtenUnknown = true
		return
	}
	w.written, w.writtenUnknown = written, false
}

// measureNext measures one site of the current round. A round begins when notably less is free than at the last one: while
// nobody writes, no tree is walked.
func (w *Guard) measureNext(ctx context.Context, sites []tenants.Site, space Space) {
	if w.baseline == nil {
		w.baseline = map[string]siteBaseline{}
		w.remaining, w.roundStart = len(sites), space
	}
	if w.remaining == 0 && (w.roundStart.Free-space.Free > w.notableGrowth(space) || w.roundStart.Files-space.Files > space.Inodes/200) {
		w.remaining, w.roundStart = len(sites), space
	}
	w.roundStart.Free, w.roundStart.Files = max(w.roundStart.Free, space.Free), max(w.roundStart.Files, space.Files)
	if w.remaining == 0 || len(sites) == 0 {
		return
	}
	w.remaining--
	w.next = (w.next + 1) % len(sites)
	s := sites[w.next]
	if s.State == tenants.StateBinned {
		return
	}
	if err := w.Disk.Clean(ctx, s); err != nil {
		w.Log.Warn("cleaning where a site's sockets are", "site", s.ID, "error", err)
	}
	if taken, err := w.Disk.SiteUsage(ctx, s); err == nil {
		w.baseline[s.ID] = siteBaseline{taken, w.written[s.ID]}
	}
}
