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
	"chatiere/tenants/freeze"
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
	// Clean removes what a site may write to and must not: whatever is no socket where its sockets are.
	Clean(ctx context.Context, s tenants.Site) error
	// Written returns how many bytes the processes of each of the sites have written so far, less what they took back, as
	// far as it saw: what a process wrote between the last call and its end is missing.
	Written(ctx context.Context, sites []tenants.Site) (map[string]int64, error)
}

// Records lists sites.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
}

// Watch holds the ports. Look must not be called twice at a time.
type Watch struct {
	Disk    Disk
	Records Records
	Freezer *freeze.Freezer // area disk, code site-frozen, disk-reserve beside it
	// Reserve is what no site may eat, in bytes; 0 takes a twentieth of the disk, but at most 2 GiB.
	Reserve int64
	Now     func() time.Time
	Log     *slog.Logger

	mu      sync.Mutex
	known   map[string]reference // what each site had while all was well
	before  Space
	at      time.Time // of before; zero: never looked
	sites   []tenants.Site
	listed  time.Time // when sites was read
	next    int       // whose turn it is to be measured while all is well
	due     int       // how many are still to be measured in this round
	round   Space     // what was free when the last round began
	written map[string]int64
	asked   time.Time // when written was read
	blind   bool      // it could not be read
}

// reference is what a site's growth is counted from.
type reference struct {
	Taken
	written int64
}

// Look looks once. While there is room and nothing is written it asks for the free space and no more; while something is,
// it measures one site, so that growth can be told later; when room is short, all of them.
func (w *Watch) Look(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.Freezer.Restore(ctx); err != nil {
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
	w.follow(ctx, sites, space, short)
	err = w.Freezer.Pursue(ctx, sites)
	if short {
		err = errors.Join(err, w.relieve(ctx, sites, space))
	} else {
		w.measureNext(ctx, sites, space)
	}
	w.before, w.at = space, w.Now()
	if reported := w.report(ctx, sites, space); err == nil {
		err = reported
	}
	return err
}

// list reads the sites again when something is to be decided about one of them, and else now and then.
func (w *Watch) list(ctx context.Context, now bool) ([]tenants.Site, error) {
	if !now && !w.Freezer.Any() && w.Now().Sub(w.listed) < stale {
		return w.sites, nil
	}
	sites, err := w.Records.LiveSites(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing live sites: %w", err)
	}
	w.sites, w.listed = sites, w.Now()
	return sites, nil
}

// report stores the findings about the disk. What a released site has now is where its growth begins.
func (w *Watch) report(ctx context.Context, sites []tenants.Site, space Space) error {
	var others []tenants.Finding
	if f, low := w.low(space); low {
		others = append(others, f)
	}
	released, err := w.Freezer.Report(ctx, sites, others...)
	for _, id := range released {
		delete(w.known, id)
		w.due = len(sites)
	}
	return err
}

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
	// ahead is how far the present rate is drawn on: measuring all sites and stopping one takes this long.
	ahead = 10 * time.Second
	// stale is how old the list of sites may be while all is well.
	stale = 20 * time.Second
	// calmly is how often it is asked who has written while all is well.
	calmly = 10 * time.Second
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

// floor is the growth that is notable: a site that only writes its logs must not pay for what others fill.
func (w *Watch) floor(s Space) int64 {
	return min(max(Amount(w.Reserve, s.Total)/16, 4*mebibyte), 256*mebibyte)
}

// follow asks who has written: at once while the free space falls, and else now and then.
func (w *Watch) follow(ctx context.Context, sites []tenants.Site, s Space, short bool) {
	falls := !w.at.IsZero() && w.before.Free-s.Free > mebibyte
	if !short && !falls && w.due == 0 && w.Now().Sub(w.asked) < calmly {
		return
	}
	w.asked = w.Now()
	written, err := w.Disk.Written(ctx, sites)
	if err != nil {
		if !w.blind {
			w.Log.Warn("what sites write out of sight cannot be seen", "error", err)
		}
		w.blind = true
		return
	}
	w.written, w.blind = written, false
}

// measureNext measures one site of the present round. A round begins when notably less is free than at the last one: as
// long as nobody writes, no tree is walked.
func (w *Watch) measureNext(ctx context.Context, sites []tenants.Site, space Space) {
	if w.known == nil {
		w.known = map[string]reference{}
		w.due, w.round = len(sites), space
	}
	if w.due == 0 && (w.round.Free-space.Free > w.floor(space) || w.round.Files-space.Files > space.Inodes/200) {
		w.due, w.round = len(sites), space
	}
	w.round.Free, w.round.Files = max(w.round.Free, space.Free), max(w.round.Files, space.Files)
	if w.due == 0 || len(sites) == 0 {
		return
	}
	w.due--
	w.next = (w.next + 1) % len(sites)
	s := sites[w.next]
	if s.State == tenants.StateBinned {
		return
	}
	if err := w.Disk.Clean(ctx, s); err != nil {
		w.Log.Warn("cleaning where a site's sockets are", "site", s.ID, "error", err)
	}
	if taken, err := w.Disk.Taken(ctx, s); err == nil {
		w.known[s.ID] = reference{taken, w.written[s.ID]}
	}
}
