package dbguard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatiere/tenants"
)

// Note is what the forwarder in front of the database server recorded when the server died.
type Note struct {
	ID    string
	At    time.Time
	Sites []NotedSite
}

// NotedSite is a site that had used the server shortly before.
type NotedSite struct {
	Site    string
	Waiting bool          // a statement was sent and no answer had begun
	Sent    time.Duration // how long before the death it last sent something
	Size    int64         // bytes of that
}

// Death is a death of the server and the sites that can have caused it.
type Death struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Sites []string  `json:"sites"`
}

// Deaths stores the server's deaths across restarts of the worker.
type Deaths interface {
	Notes() ([]Note, error)
	Remove(id string) error // a note
	Load() ([]Death, error)
	Save(deaths []Death) error
}

const (
	// A site that is the only one common to this many deaths in a row, within this window, is locked.
	minDeaths   = 3
	deathWindow = 24 * time.Hour
	// maxUnseen is how old a site's last statement may be if the guard had no answer of the server between it and the death.
	maxUnseen = time.Minute
	// checkSlack allows for the time that one check takes.
	checkSlack = 2 * time.Second
	// killedGrace is how long a statement may continue after its connection was killed.
	killedGrace = time.Minute
)

// ExcessDeaths is the excess of a site that kills the server.
const ExcessDeaths Excess = "deaths"

// recordLoads records the sites with running statements at the last check.
func (g *Guard) recordLoads(loads []Load, at time.Time) {
	g.seen, g.working = at, map[string]bool{}
	for _, l := range loads {
		if l.Statements > 0 {
			g.working[tenants.DatabaseSite(l.Database)] = true
		}
	}
	for name, at := range g.killed {
		if g.seen.Sub(at) > killedGrace {
			delete(g.killed, name)
			continue
		}
		g.working[tenants.DatabaseSite(name)] = true
	}
}

// recordDeaths reads the forwarder's notes, and locks the site that caused the deaths, if it is known.
func (g *Guard) recordDeaths(ctx context.Context) error {
	notes, err := g.Deaths.Notes()
	if err != nil {
		return fmt.Errorf("reading notes of the server's deaths: %w", err)
	}
	if !g.deathsLoaded || len(notes) > 0 {
		if err := g.loadNotes(ctx, notes); err != nil {
			return err
		}
	}
	site := culprit(g.deaths)
	if site == "" {
		return nil
	}
	return g.lockCulprit(ctx, site)
}

func (g *Guard) loadNotes(ctx context.Context, notes []Note) error {
	deaths, err := g.Deaths.Load()
	if err != nil {
		return fmt.Errorf("reading what is known of the server's deaths: %w", err)
	}
	for _, n := range notes {
		if slices.ContainsFunc(deaths, func(d Death) bool { return d.ID == n.ID }) {
			continue // it was remembered, and not removed
		}
		d := g.suspects(n)
		g.Log.WarnContext(ctx, "the database server of all sites died", "at", n.At, "suspects", d.Sites, "noted", n.Sites)
		if len(d.Sites) > 0 {
			deaths = append(deaths, d)
		}
	}
	deaths = slices.DeleteFunc(deaths, func(d Death) bool { return g.Now().Sub(d.At) > deathWindow })
	slices.SortStableFunc(deaths, func(a, b Death) int { return a.At.Compare(b.At) })
	if len(notes) > 0 {
		if err := g.Deaths.Save(deaths); err != nil {
			return fmt.Errorf("remembering the server's deaths: %w", err)
		}
	}
	g.deaths, g.deathsLoaded = deaths, true
	var faults []error
	for _, n := range notes {
		faults = append(faults, g.Deaths.Remove(n.ID))
	}
	return errors.Join(faults...)
}

// suspects returns the sites that can have caused a death: those that waited for an answer, those that sent something since
// the guard's last check, and those with running statements at that check. A response that has begun excludes nobody: the
// first of several statements may be harmless.
func (g *Guard) suspects(n Note) Death {
	unseen := maxUnseen
	saw := !g.seen.IsZero() && !g.seen.After(n.At) && n.At.Sub(g.seen) < maxUnseen
	if saw {
		unseen = min(maxUnseen, n.At.Sub(g.seen)+checkSlack)
	}
	d := Death{ID: n.ID, At: n.At}
	for _, s := range n.Sites {
		if s.Waiting || s.Sent <= unseen {
			d.Sites = append(d.Sites, s.Site)
		}
	}
	if saw {
		for site := range g.working {
			if !slices.Contains(d.Sites, site) {
				d.Sites = append(d.Sites, site)
			}
		}
	}
	slices.Sort(d.Sites)
	return d
}

// culprit returns the only site common to the latest deaths, at least three of them; "" if there is none.
func culprit(deaths []Death) string {
	var common []string
	count := 0
	for _, d := range slices.Backward(deaths) {
		if count++; count == 1 {
			common = slices.Clone(d.Sites)
		}
		common = slices.DeleteFunc(common, func(site string) bool { return !slices.Contains(d.Sites, site) })
		if count >= minDeaths && len(common) == 1 {
			return common[0]
		}
	}
	return ""
}

// lockCulprit stops, suspends and locks a site. It is repeated until the server, which has just died, has locked it; then
// the deaths of that site are deleted, so that it starts afresh when it is resumed.
func (g *Guard) lockCulprit(ctx context.Context, site string) error {
	sites, err := g.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	i := slices.IndexFunc(sites, func(s tenants.Site) bool { return s.ID == site })
	if i >= 0 && !g.Freezer.Frozen(site) {
		g.Log.WarnContext(ctx, "freezing a site that kills the database server", "site", site, "host", sites[i].Host)
		if err := g.Freezer.Freeze(ctx, sites[i], map[string]string{"what": string(ExcessDeaths)}); err != nil {
			return err
		}
	}
	database := tenants.DatabaseName(site, 1)
	if i >= 0 {
		database = sites[i].Database()
	}
	switch err := g.Server.Lock(ctx, database); {
	case errors.Is(err, tenants.ErrUnavailable):
		return nil // it is being started again
	case err != nil:
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(g.deaths), func(d Death) bool { return slices.Contains(d.Sites, site) })
	if err := g.Deaths.Save(rest); err != nil {
		return fmt.Errorf("forgetting the server's deaths: %w", err)
	}
	g.deaths = rest
	return nil
}
