// Package dbguard prevents one site from exhausting the database server that all sites share: its memory, its space for
// temporary tables, its processors. MariaDB has no limit for these that a session cannot lift, so the guard reads the load
// of the sites' users every second, ends the connections of a user beyond a limit, and locks and freezes a site that
// continues. A crash between two checks is attributed afterwards: see Guard.recordDeaths.
//
// It knows no SQL and no container. Start reading at Guard.Check.
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

// Load is the load that one site causes on the database server.
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
	// Lock disables a user and ends its connections; Unlock enables it again.
	Lock(ctx context.Context, name string) error
	Unlock(ctx context.Context, name string) error
}

// Records lists sites.
type Records interface {
	LiveSites(ctx context.Context) ([]tenants.Site, error)
}

// Guard checks the database server. Calls of Check are serialised.
type Guard struct {
	Server  Server
	Records Records
	Freezer *freeze.Freezer // area database, code database-locked
	// TemporarySize returns the size of the file with the temporary tables of all sites.
	TemporarySize func() (int64, error)
	// Temporary reports whether a site may have temporary tables in it.
	Temporary func(name string) bool
	Deaths    Deaths
	Now       func() time.Time
	Log       *slog.Logger

	mu      sync.Mutex
	strikes map[string][]time.Time // by database
	grown   int64                  // TemporarySize at the last action
	killed  map[string]time.Time   // when connections were last ended, by database

	seen         time.Time       // when the server last answered
	working      map[string]bool // sites with running statements at that time
	deaths       []Death         // of the server, within deathWindow, oldest first
	deathsLoaded bool            // deaths were read from the file
}

const (
	mebibyte = 1 << 20
	// Of one site. A connection of WordPress takes some 300 KiB, a large import some 30 MiB.
	maxMemory    = 96 * mebibyte
	maxTemporary = 48 * mebibyte
	// Eight statements reach this within 15 s, twenty within 6 s; a single one is let go on for two minutes.
	maxRunning = 2 * time.Minute
	// A transaction prevents the purge of everything deleted meanwhile.
	maxTransaction = 5 * time.Minute
	// maxGrowth is how much the file of temporary tables may grow before the connections of their sites are ended.
	maxGrowth = 256 * mebibyte

	// A site is locked after this many strikes within the window, or at once beyond lockFactor times a limit.
	maxStrikes   = 3
	strikeWindow = 10 * time.Minute
	lockFactor   = 2
)

// Excess is the limit for which a site's connections are ended.
type Excess string

// The reasons.
const (
	ExcessMemory      Excess = "memory"
	ExcessTemporary   Excess = "temporary"
	ExcessRunning     Excess = "running"
	ExcessTransaction Excess = "transaction"
)

// excess returns the limit that a site exceeds and the factor; "" when none.
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

// Check checks once. If there is nothing to do it makes one query to the sites' database and none to the panel's.
func (g *Guard) Check(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.Freezer.Restore(ctx); err != nil {
		return err
	}
	faults := []error{g.recordDeaths(ctx)} // first: the last recorded load explains a death of the server
	began := g.Now()
	loads, err := g.Server.Loads(ctx)
	if errors.Is(err, tenants.ErrUnavailable) {
		err = nil // reported elsewhere
	} else if err == nil {
		g.recordLoads(loads, began)
	}
	faults = append(faults, err)
	for _, l := range append(loads, g.temporaryTables(loads)...) {
		if what, times := l.excess(); what != "" {
			faults = append(faults, g.end(ctx, l, what, times))
		}
	}
	return errors.Join(append(faults, g.reportFrozen(ctx))...)
}

// temporaryTables checks the file of all temporary tables, which has no limit and no owner. When it has grown, the
// connections of all sites that may have such tables are ended; a single one is known to be the cause.
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

// end ends a site's connections, and locks and freezes it after too many strikes or a gross excess.
func (g *Guard) end(ctx context.Context, l Load, what Excess, times float64) error {
	g.Log.WarnContext(ctx, "a site exceeds a limit of its database", "database", l.Database, "what", what, "memory", l.Memory,
		"temporary", l.Temporary, "running", l.Running, "transaction", l.Transaction)
	if g.killed == nil {
		g.killed = map[string]time.Time{}
	}
	g.killed[l.Database] = g.Now()
	if times < lockFactor && !g.strike(l.Database, what) {
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

// strike counts a strike and reports whether the site must be locked. Long transactions are ended but not counted: they
// come from carelessness, and ending them is sufficient.
func (g *Guard) strike(name string, what Excess) bool {
	if what == ExcessTransaction {
		return false
	}
	if g.strikes == nil {
		g.strikes = map[string][]time.Time{}
	}
	now := g.Now()
	recent := slices.DeleteFunc(g.strikes[name], func(at time.Time) bool { return now.Sub(at) > strikeWindow })
	g.strikes[name] = append(recent, now)
	if len(g.strikes[name]) < maxStrikes {
		return false
	}
	delete(g.strikes, name)
	return true
}

// reportFrozen suspends and reports frozen sites, and unlocks resumed ones.
func (g *Guard) reportFrozen(ctx context.Context) error {
	if !g.Freezer.Any() {
		_, err := g.Freezer.Report(ctx, nil)
		return err
	}
	sites, err := g.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	faults := []error{g.Freezer.SuspendFrozen(ctx, sites)}
	released, err := g.Freezer.Report(ctx, sites)
	faults = append(faults, err)
	for _, s := range sites {
		if slices.Contains(released, s.ID) && s.State != tenants.StateBinned && s.Database() != "" { // which comes back suspended, still locked
			faults = append(faults, g.Server.Unlock(ctx, s.Database()))
		}
	}
	return errors.Join(faults...)
}
