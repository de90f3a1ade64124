package diskguard

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"

	"chatiere/tenants"
	"chatiere/tenants/recovery"
)

// maxParallel bounds how many sites are measured at a time: the disk is already busy.
const maxParallel = 4

// growth is how much a site has grown since its baseline.
type growth struct {
	site  tenants.Site
	bytes int64
	files int64
	// written is what its processes wrote meanwhile, less what they truncated before it reached the disk.
	written int64
	// unexplained is lost free space that no site's growth explains and that is attributed to this one.
	unexplained int64
}

// freezeLargestGrowth freezes the site that has grown most, if one has grown notably. A site without a baseline gets one
// now, and its growth is known at the next check.
func (w *Guard) freezeLargestGrowth(ctx context.Context, sites []tenants.Site, space Space) error {
	grown := w.measureGrowth(ctx, sites)
	w.addUnexplained(grown, space)
	worst, found := w.largestGrowth(grown, space)
	if !found {
		return nil
	}
	w.Log.Warn("freezing the site that fills the disk", "site", worst.site.ID, "host", worst.site.Host,
		"grown_bytes", worst.bytes, "hidden_bytes", worst.unexplained, "grown_files", worst.files, "free", space.Free)
	err := w.Freezer.Freeze(ctx, worst.site, map[string]string{
		"grown": mebibytes(worst.bytes + worst.unexplained), "files": strconv.FormatInt(worst.files, 10), "free": mebibytes(space.Free),
	})
	if cleaned := w.Disk.Clean(ctx, worst.site); cleaned != nil {
		w.Log.Warn("cleaning where a site's sockets are", "site", worst.site.ID, "error", cleaned)
	}
	return err
}

// measureGrowth returns how much each site that can grow has grown.
func (w *Guard) measureGrowth(ctx context.Context, sites []tenants.Site) []growth {
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		grown []growth
		slots = make(chan struct{}, maxParallel)
	)
	if w.baseline == nil {
		w.baseline = map[string]siteBaseline{}
	}
	for _, s := range sites {
		if w.Freezer.Frozen(s.ID) || s.State != tenants.StateReady && s.State != tenants.StateCreating {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer recovery.Log(w.Log, "measuring a site")
			// After an error, the result is a lower bound: a site may try to be hard to measure.
			taken, err := w.Disk.SiteUsage(ctx, s)
			if err != nil {
				w.Log.Warn("a site cannot be measured completely", "site", s.ID, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			before, measured := w.baseline[s.ID]
			if !measured {
				before = siteBaseline{taken, w.written[s.ID]}
				w.baseline[s.ID] = before
			}
			grown = append(grown, growth{
				site: s, bytes: taken.Bytes - before.Bytes, files: taken.Files - before.Files, written: w.written[s.ID] - before.written,
			})
		})
	}
	wg.Wait()
	return grown
}

// addUnexplained attributes lost free space that no site's growth explains (an unlinked file that is only mapped, or in a
// message between two processes) to the site whose processes wrote that much. If no single site stands out, nobody gets
// it.
func (w *Guard) addUnexplained(grown []growth, space Space) {
	unexplained := w.roundStart.Free - space.Free
	for _, g := range grown {
		unexplained -= max(g.bytes, 0)
	}
	if len(grown) == 0 || unexplained <= 0 {
		return
	}
	slices.SortFunc(grown, func(a, b growth) int { return cmp.Compare(b.unaccounted(), a.unaccounted()) })
	most := grown[0].unaccounted()
	if most < unexplained/2 || len(grown) > 1 && most < 2*grown[1].unaccounted() {
		return
	}
	grown[0].unexplained = min(most, unexplained)
}

// unaccounted is what a site's processes wrote beyond its growth.
func (g growth) unaccounted() int64 { return g.written - max(g.bytes, 0) }

// largestGrowth returns the site that has grown most; false when none has grown notably.
func (w *Guard) largestGrowth(grown []growth, space Space) (most growth, found bool) {
	for _, g := range grown {
		if w.isNotable(g, space) && (!found || g.weight(space) > most.weight(space)) {
			most, found = g, true
		}
	}
	return most, found
}

// isNotable excludes sites that only write their logs.
func (w *Guard) isNotable(g growth, space Space) bool {
	return g.bytes+g.unexplained > w.notableGrowth(space) || space.Inodes > 0 && g.files > space.Inodes/200
}

// weight makes bytes and files comparable, as shares of the disk's capacity.
func (g growth) weight(s Space) float64 {
	weight := float64(g.bytes+g.unexplained) / float64(max(s.Total, 1))
	if s.Inodes > 0 {
		weight = max(weight, float64(g.files)/float64(s.Inodes))
	}
	return weight
}

// reserveFinding returns a finding if less than the reserve is free, whatever the cause.
func (w *Guard) reserveFinding(s Space) (tenants.Finding, bool) {
	reserve := ReserveBytes(w.Reserve, s.Total)
	if s.Free >= reserve && (s.Inodes == 0 || s.Files >= s.Inodes/inodeReserve) {
		return tenants.Finding{}, false
	}
	return tenants.Finding{
		Area: tenants.AreaDisk, Subject: "disk", Code: tenants.FindingReserve, Level: tenants.LevelTrouble,
		Args: map[string]string{"free": mebibytes(s.Free), "reserve": mebibytes(reserve), "files": strconv.FormatInt(s.Files, 10)},
	}, true
}

func mebibytes(n int64) string { return strconv.FormatInt(n/mebibyte, 10) }
