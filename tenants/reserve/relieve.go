package reserve

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"

	"chatiere/tenants"
	"chatiere/tenants/recovery"
)

// abreast bounds how many sites are measured at a time: the disk is busy already.
const abreast = 4

// growth is by how much a site has grown since all was well.
type growth struct {
	site  tenants.Site
	bytes int64
	files int64
	// written is what its processes wrote meanwhile, less what they took back.
	written int64
	// hidden is what its processes wrote beyond that and what no site's growth explains.
	hidden int64
}

// relieve freezes the site that has grown most, if one has grown at all. A site that was never measured before is measured
// now, and its growth known with the next look.
func (w *Watch) relieve(ctx context.Context, sites []tenants.Site, space Space) error {
	grown := w.measure(ctx, sites)
	w.addHidden(grown, space)
	worst, found := w.worst(grown, space)
	if !found {
		return nil
	}
	w.Log.Warn("freezing the site that fills the disk", "site", worst.site.ID, "host", worst.site.Host,
		"grown_bytes", worst.bytes, "hidden_bytes", worst.hidden, "grown_files", worst.files, "free", space.Free)
	err := w.Freezer.Freeze(ctx, worst.site, map[string]string{
		"grown": mebibytes(worst.bytes + worst.hidden), "files": strconv.FormatInt(worst.files, 10), "free": mebibytes(space.Free),
	})
	if cleaned := w.Disk.Clean(ctx, worst.site); cleaned != nil {
		w.Log.Warn("cleaning where a site's sockets are", "site", worst.site.ID, "error", cleaned)
	}
	return err
}

// measure returns by how much each site that can grow has grown.
func (w *Watch) measure(ctx context.Context, sites []tenants.Site) []growth {
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		grown []growth
		slots = make(chan struct{}, abreast)
	)
	if w.known == nil {
		w.known = map[string]reference{}
	}
	for _, s := range sites {
		if w.Freezer.Frozen(s.ID) || s.State != tenants.StateReady && s.State != tenants.StateCreating {
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
				before = reference{taken, w.written[s.ID]}
				w.known[s.ID] = before
			}
			grown = append(grown, growth{
				site: s, bytes: taken.Bytes - before.Bytes, files: taken.Files - before.Files, written: w.written[s.ID] - before.written,
			})
		})
	}
	wg.Wait()
	return grown
}

// addHidden looks for space that is gone and that no site's growth explains: a file without a name that is only mapped,
// or held by a message between two processes. It goes to the site whose processes wrote that much, if one stands out; where
// two are in question, to none.
func (w *Watch) addHidden(grown []growth, space Space) {
	unexplained := w.round.Free - space.Free
	for _, g := range grown {
		unexplained -= max(g.bytes, 0)
	}
	if len(grown) == 0 || unexplained <= 0 {
		return
	}
	slices.SortFunc(grown, func(a, b growth) int { return cmp.Compare(b.unseen(), a.unseen()) })
	most := grown[0].unseen()
	if most < unexplained/2 || len(grown) > 1 && most < 2*grown[1].unseen() {
		return
	}
	grown[0].hidden = min(most, unexplained)
}

// unseen is what a site's processes wrote beyond what it has grown by.
func (g growth) unseen() int64 { return g.written - max(g.bytes, 0) }

// worst returns the site that has grown most; false when none has grown notably.
func (w *Watch) worst(grown []growth, space Space) (most growth, found bool) {
	for _, g := range grown {
		if w.notable(g, space) && (!found || g.weight(space) > most.weight(space)) {
			most, found = g, true
		}
	}
	return most, found
}

// notable keeps a site that only writes its logs from paying for what others fill.
func (w *Watch) notable(g growth, space Space) bool {
	return g.bytes+g.hidden > w.floor(space) || space.Inodes > 0 && g.files > space.Inodes/200
}

// weight makes bytes and files comparable: as parts of what the disk has of each.
func (g growth) weight(s Space) float64 {
	weight := float64(g.bytes+g.hidden) / float64(max(s.Total, 1))
	if s.Inodes > 0 {
		weight = max(weight, float64(g.files)/float64(s.Inodes))
	}
	return weight
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
