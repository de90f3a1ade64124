package reserve

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/recovery"
)

// abreast bounds how many sites are measured at a time: the disk is busy already.
const abreast = 4

// growth is by how much a site has grown since all was well.
type growth struct {
	site  tenants.Site
	bytes int64
	files int64
}

// relieve freezes the site that has grown most, if one has grown at all. A site that was never measured before is measured
// now, and its growth known with the next look.
func (w *Watch) relieve(ctx context.Context, sites []tenants.Site, space Space) error {
	worst, found := w.worst(ctx, sites, space)
	if !found {
		return nil
	}
	w.Log.Warn("freezing the site that fills the disk", "site", worst.site.ID, "host", worst.site.Host,
		"grown_bytes", worst.bytes, "grown_files", worst.files, "free", space.Free)
	w.frozen[worst.site.ID] = tenants.Finding{
		Area: tenants.AreaDisk, Subject: worst.site.ID, Code: tenants.FindingSiteFrozen, Level: tenants.LevelTrouble, Since: w.Now(),
		Args: map[string]string{"grown": mebibytes(worst.bytes), "files": strconv.FormatInt(worst.files, 10), "free": mebibytes(space.Free)},
	}
	return w.freeze(ctx, worst.site)
}

// pursue freezes again what was frozen and still runs: other work on the site stood in the way.
func (w *Watch) pursue(ctx context.Context, sites []tenants.Site) error {
	var faults []error
	for _, s := range sites {
		_, ours := w.frozen[s.ID]
		if ours && s.State == tenants.StateBinned && s.BinnedFrom != tenants.StateSuspended {
			// It was deleted before it could be suspended; bringing it back must not set it going.
			err := w.Desk.KeepSuspended(ctx, provision.Request{Principal: tenants.System()}, s.ID)
			if !errors.Is(err, tenants.ErrConflict) {
				faults = append(faults, err)
			}
		}
		if ours && !w.shut[s.ID] && s.State != tenants.StateSuspended && s.State != tenants.StateBinned {
			faults = append(faults, w.freeze(ctx, s))
		}
	}
	return errors.Join(faults...)
}

// freeze stops first and asks afterwards: each second counts. A site on which other work is being done is stopped all the
// same; the wish comes again with the next look.
func (w *Watch) freeze(ctx context.Context, s tenants.Site) error {
	stopped := w.Stop(ctx, s)
	if s.State != tenants.StateReady {
		return stopped
	}
	_, err := w.Desk.SuspendSite(ctx, provision.Request{Principal: tenants.System()}, s.ID)
	if errors.Is(err, operations.ErrBusy) || errors.Is(err, tenants.ErrConflict) {
		w.Log.Info("a site that fills the disk is being worked on", "site", s.ID, "error", err)
		err = nil
	}
	if err := errors.Join(stopped, err); err != nil {
		return fmt.Errorf("freezing site %s: %w", s.ID, err)
	}
	return nil
}

// worst measures all sites that can grow and returns the one that has grown most; false when none has grown notably.
func (w *Watch) worst(ctx context.Context, sites []tenants.Site, space Space) (growth, bool) {
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		most  growth
		found bool
		slots = make(chan struct{}, abreast)
	)
	for _, s := range sites {
		if _, ours := w.frozen[s.ID]; ours || s.State != tenants.StateReady && s.State != tenants.StateCreating {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer recovery.Log(w.Log, "measuring a site")
			// An error leaves a lower bound, which is better than nothing: a site may try to be hard to measure.
			taken, err := w.Disk.Taken(ctx, s)
			if err != nil {
				w.Log.Warn("a site cannot be measured whole", "site", s.ID, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			before, measured := w.known[s.ID]
			if !measured {
				w.known[s.ID] = taken
				return
			}
			g := growth{s, taken.Bytes - before.Bytes, taken.Files - before.Files}
			if w.notable(g, space) && (!found || g.weight(space) > most.weight(space)) {
				most, found = g, true
			}
		})
	}
	wg.Wait()
	return most, found
}

// notable keeps a site that only writes its logs from paying for what others fill.
func (w *Watch) notable(g growth, space Space) bool {
	floor := min(max(Amount(w.Reserve, space.Total)/16, 4*mebibyte), 256*mebibyte)
	return g.bytes > floor || space.Inodes > 0 && g.files > space.Inodes/200
}

// weight makes bytes and files comparable: as parts of what the disk has of each.
func (g growth) weight(s Space) float64 {
	weight := float64(g.bytes) / float64(max(s.Total, 1))
	if s.Inodes > 0 {
		weight = max(weight, float64(g.files)/float64(s.Inodes))
	}
	return weight
}

// patience is how long a freeze may take to show in the site's state.
const patience = 5 * time.Minute

// again is how often what has not changed is told once more, so that the finding is seen to hold.
const again = time.Minute

// tell replaces the findings about the disk, when something is new or some time has passed.
func (w *Watch) tell(ctx context.Context, sites []tenants.Site, space Space) error {
	now := map[string]tenants.Site{}
	for _, s := range sites {
		now[s.ID] = s
	}
	var seen []tenants.Finding
	saying := ""
	for id, f := range w.frozen {
		w.shut[id] = w.shut[id] || now[id].State == tenants.StateSuspended
		if w.over(id, f, now[id]) {
			delete(w.frozen, id)
			delete(w.shut, id)
			delete(w.known, id) // what it has now is where its growth begins
			continue
		}
		seen, saying = append(seen, f), saying+id
	}
	if f, low := w.low(space); low {
		seen, saying = append(seen, f), saying+"low"
	}
	if saying == w.saying && w.Now().Sub(w.told) < again {
		return nil
	}
	err := w.Book.Replace(ctx, tenants.FindingScope{
		Area: tenants.AreaDisk, Codes: []tenants.FindingCode{tenants.FindingSiteFrozen, tenants.FindingReserve},
	}, seen)
	if err == nil {
		w.told, w.saying = w.Now(), saying
	}
	return err
}

// over reports whether a site is no longer frozen: resumed, in the bin to come back suspended, gone, or never suspended
// after all.
func (w *Watch) over(id string, f tenants.Finding, now tenants.Site) bool {
	switch now.State {
	case tenants.StateSuspended:
		return false
	case tenants.StateBinned:
		return now.BinnedFrom == tenants.StateSuspended
	case tenants.StateReady, tenants.StateCreating:
		return w.shut[id] || w.Now().Sub(f.Since) > patience
	}
	return true
}

// low says that the reserve itself is being eaten, by whatever it is.
func (w *Watch) low(s Space) (tenants.Finding, bool) {
	reserve := Amount(w.Reserve, s.Total)
	if s.Free >= reserve && (s.Inodes == 0 || s.Files >= s.Inodes/inodes) {
		return tenants.Finding{}, false
	}
	return tenants.Finding{
		Area: tenants.AreaDisk, Subject: "disk", Code: tenants.FindingReserve, Level: tenants.LevelTrouble,
		Args: map[string]string{"free": mebibytes(s.Free), "reserve": mebibytes(reserve), "files": strconv.FormatInt(s.Files, 10)},
	}, true
}

func mebibytes(n int64) string { return strconv.FormatInt(n/mebibyte, 10) }
