// Package dbguard keeps one site from taking the database server that all sites share: its memory, its space for temporary
// tables, its processors. MariaDB has no bound for these that a session cannot lift, so the guard asks each second what
// the sites' users do, ends the connections of one that overdoes it, and locks and freezes one that goes on. What kills the
// server between two looks is attributed afterwards: see Guard.noteDeaths.
//
// It knows no SQL and no container. Start reading at Guard.Look.
package dbguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/freeze"
)

// Load is what the user of one site's database is doing.
type Load struct {
	Database    string
	Connections int
	Statements  int           // that have begun and not ended, waiting ones included
	Memory      int64         // bytes, of all its connections
	Temporary   int64         // bytes of temporary files, of all its connections
	Running     time.Duration // for how long its present statements run, added up
	Transaction time.Duration // age of its oldest transaction
}

// Server is the database of all sites.
type Server interface {
	Loads(ctx context.Context) ([]Load, error)
	// Kill ends a user's connections.
	Kill(ctx context.Context, name string) error
	// Lock keeps a user out for good and ends its connections; Unlock lets it in again.
	Lock(ctx context.Context, name string) error
	Unlock(ctx context.Context, name string) error
}

// Records lists sites.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
}

// Guard holds the ports. Look must not be called twice at a time.
type Guard struct {
	Server  Server
	Records Records
	Freezer *freeze.Freezer // area database, code database-locked
	// TemporarySize is how large the file is in which temporary tables of all sites lie.
	TemporarySize func() (int64, error)
	// Temporary says whose temporary tables lie in there.
	Temporary func(name string) bool
	Deaths    Deaths
	Now       func() time.Time
	Log       *slog.Logger

	mu      sync.Mutex
	strikes map[string][]time.Time // by database
	grown   int64                  // what TemporarySize was when something was last done about it
	killed  map[string]time.Time   // when connections were last ended, by database

	seen     time.Time       // when the server last answered
	working  map[string]bool // who had statements running then, by site
	deaths   []Death         // of the server, within deathWindow, oldest first
	recalled bool            // deaths were read
}

const (
	mebibyte = 1 << 20
	// Of one site. A connection of WordPress takes some 300 KiB, a large import some 30 MiB.
	maxMemory    = 96 * mebibyte
	maxTemporary = 48 * mebibyte
	// Eight statements reach this within 15 s, twenty within 6 s; a single one is let go on for two minutes.
	maxRunning = 2 * time.Minute
	// A transaction keeps what all others deleted meanwhile from being cleared away.
	maxTransaction = 5 * time.Minute
	// maxGrowth is by how much the file of all temporary tables may grow until those who have some are ended.
	maxGrowth = 256 * mebibyte

	// A site is locked after so many strikes within the window, or at once for what takes the memory of all.
	maxStrikes = 3
	window     = 10 * time.Minute
	gross      = 2
)

// Excess is why a site's connections are ended.
type Excess string

// The reasons.
const (
	ExcessMemory      Excess = "memory"
	ExcessTemporary   Excess = "temporary"
	ExcessRunning     Excess = "running"
	ExcessTransaction Excess = "transaction"
)

// excess returns what a site overdoes, and how grossly; "" when nothing.
func (l Load) excess() (what Excess, times float64) {
	switch {
	case l.Memory > maxMemory:
		return ExcessMemory, float64(l.Memory) / maxMemory
	case l.Temporary > maxTemporary:
		return ExcessTemporary, float64(l.Temporary) / maxTemporary
	case l.Running > maxRunning:
		return ExcessRunning, 1 // it takes time to come by, however it is done
	case l.Transaction > maxTransaction:
		return ExcessTransaction, 1
	}
	return "", 0
}

// Check looks once. With nothing to be done it asks the sites' database one question and the panel's none.
func (g *Guard) Check(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.Freezer.Restore(ctx); err != nil {
		return err
	}
	faults := []error{g.noteDeaths(ctx)} // before the server is seen again: what was last seen explains its death
	began := g.Now()
	loads, err := g.Server.Loads(ctx)
	if errors.Is(err, tenants.ErrUnavailable) {
		err = nil // it is told elsewhere, and there is nobody to be kept from anything
	} else if err == nil {
		g.noteLook(loads, began)
	}
	faults = append(faults, err)
	for _, l := range append(loads, g.temporaryTables(loads)...) {
		if what, times := l.excess(); what != "" {
			faults = append(faults, g.end(ctx, l, what, times))
		}
	}
	return errors.Join(append(faults, g.follow(ctx))...)
}

// temporaryTables looks at the file of all temporary tables, which has no bound and names nobody. When it has grown, those
// who may make such tables and are connected have to begin again; one alone is known to be the one.
func (g *Guard) temporaryTables(loads []Load) []Load {
	size, err := g.TemporarySize()
	if err != nil || size-g.grown <= maxGrowth || g.grown == 0 {
		if g.grown == 0 || size < g.grown { // the first look, or the server was started again
			g.grown = size
		}
		return nil
	}
	g.grown = size
	over := slices.DeleteFunc(slices.Clone(loads), func(l Load) bool { return !g.Temporary(l.Database) })
	for i, l := range over {
		over[i] = Load{Database: l.Database, Temporary: maxTemporary + 1}
		if len(over) > 1 { // it is not known which, so it counts against none
			over[i] = Load{Database: l.Database, Transaction: maxTransaction + 1}
		}
	}
	return over
}

// end ends a site's connections, and has it locked and frozen when it has overdone it too often or too grossly.
func (g *Guard) end(ctx context.Context, l Load, what Excess, times float64) error {
	g.Log.WarnContext(ctx, "a site overdoes it in its database", "database", l.Database, "what", what, "memory", l.Memory,
		"temporary", l.Temporary, "running", l.Running, "transaction", l.Transaction)
	if g.killed == nil {
		g.killed = map[string]time.Time{}
	}
	g.killed[l.Database] = g.Now()
	if times < gross && !g.strike(l.Database, what) {
		return g.Server.Kill(ctx, l.Database)
	}
	locked := g.Server.Lock(ctx, l.Database) // first: each second counts
	sites, err := g.Records.LiveSites(ctx)
	if err != nil {
		return errors.Join(locked, fmt.Errorf("listing live sites: %w", err))
	}
	i := slices.IndexFunc(sites, func(s tenants.Site) bool { return s.Database() == l.Database })
	if i < 0 || g.Freezer.Frozen(sites[i].ID) {
		return locked // a restored generation, or what was in flight when it was locked
	}
	g.Log.WarnContext(ctx, "freezing a site for its database", "site", sites[i].ID, "host", sites[i].Host, "what", what)
	return errors.Join(locked, g.Freezer.Freeze(ctx, sites[i], map[string]string{
		"what": string(what), "memory": strconv.FormatInt(l.Memory/mebibyte, 10),
	}))
}

// strike counts, and reports whether it was once too often. Long transactions are ended and not counted: they come from
// carelessness, and ending them is all that others need.
func (g *Guard) strike(name string, what Excess) bool {
	if what == ExcessTransaction {
		return false
	}
	if g.strikes == nil {
		g.strikes = map[string][]time.Time{}
	}
	now := g.Now()
	recent := slices.DeleteFunc(g.strikes[name], func(at time.Time) bool { return now.Sub(at) > window })
	g.strikes[name] = append(recent, now)
	if len(g.strikes[name]) < maxStrikes {
		return false
	}
	delete(g.strikes, name)
	return true
}

// follow sees to it that what is frozen gets suspended and is reported, and that who was resumed is let in.
func (g *Guard) follow(ctx context.Context) error {
	if !g.Freezer.Any() {
		_, err := g.Freezer.Report(ctx, nil)
		return err
	}
	sites, err := g.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	faults := []error{g.Freezer.Pursue(ctx, sites)}
	released, err := g.Freezer.Report(ctx, sites)
	faults = append(faults, err)
	for _, s := range sites {
		if slices.Contains(released, s.ID) && s.State != tenants.StateBinned { // which comes back suspended, still locked
			faults = append(faults, g.Server.Unlock(ctx, s.Database()))
		}
	}
	return errors.Join(faults...)
}
