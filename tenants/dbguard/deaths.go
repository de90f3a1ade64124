package dbguard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatiere/tenants"
)

// Note is what the forwarder in front of the database server left when the server died.
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

// Deaths keeps what is known of the server's deaths over restarts of the worker.
type Deaths interface {
	Notes() ([]Note, error)
	Remove(id string) error // a note
	Remembered() ([]Death, error)
	Remember(deaths []Death) error
}

const (
	// A site that is the only one common to so many deaths in a row, within so long, is locked.
	minDeaths   = 3
	deathWindow = 24 * time.Hour
	// maxUnseen is how far back a site's last statement may lie if the guard did not see the server between it and the death.
	maxUnseen = time.Minute
	// minUnseen allows for the time that one look takes.
	minUnseen = 2 * time.Second
	// killedMemory is for how long a statement may go on after its connection was killed.
	killedMemory = time.Minute
)

// ExcessDeaths is the excess of a site that kills the server.
const ExcessDeaths Excess = "deaths"

// noteLook remembers who had statements running when the server was last asked.
func (g *Guard) noteLook(loads []Load, at time.Time) {
	g.seen, g.working = at, map[string]bool{}
	for _, l := range loads {
		if l.Statements > 0 {
			g.working[tenants.DatabaseSite(l.Database)] = true
		}
	}
	for name, at := range g.killed {
		if g.seen.Sub(at) > killedMemory {
			delete(g.killed, name)
			continue
		}
		g.working[tenants.DatabaseSite(name)] = true
	}
}

// noteDeaths takes over what the forwarder noted, and locks a site that it convicts.
func (g *Guard) noteDeaths(ctx context.Context) error {
	notes, err := g.Deaths.Notes()
	if err != nil {
		return fmt.Errorf("reading notes of the server's deaths: %w", err)
	}
	if !g.recalled || len(notes) > 0 {
		if err := g.takeNotes(ctx, notes); err != nil {
			return err
		}
	}
	site := culprit(g.deaths)
	if site == "" {
		return nil
	}
	return g.convict(ctx, site)
}

func (g *Guard) takeNotes(ctx context.Context, notes []Note) error {
	deaths, err := g.Deaths.Remembered()
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
		if err := g.Deaths.Remember(deaths); err != nil {
			return fmt.Errorf("remembering the server's deaths: %w", err)
		}
	}
	g.deaths, g.recalled = deaths, true
	var faults []error
	for _, n := range notes {
		faults = append(faults, g.Deaths.Remove(n.ID))
	}
	return errors.Join(faults...)
}

// suspects are the sites that can have caused a death: those that waited for an answer, those that sent something since the
// guard last saw the server, and those whose statements it saw running then. An answer that has begun clears nobody: the
// first of several statements may be a harmless one.
func (g *Guard) suspects(n Note) Death {
	unseen := maxUnseen
	saw := !g.seen.IsZero() && !g.seen.After(n.At) && n.At.Sub(g.seen) < maxUnseen
	if saw {
		unseen = min(maxUnseen, n.At.Sub(g.seen)+minUnseen)
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

// culprit returns the site that is the only one common to the latest deaths, at least three of them; "" if there is none.
// The more deaths, the fewer sites have to do with all of them.
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

// convict stops, suspends and locks a site. It is tried again until the server, which has just died, has locked it; then
// the deaths that convicted it are forgotten, so that whoever resumes the site gives it a new start.
func (g *Guard) convict(ctx context.Context, site string) error {
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
	if err := g.Deaths.Remember(rest); err != nil {
		return fmt.Errorf("forgetting the server's deaths: %w", err)
	}
	g.deaths = rest
	return nil
}
