package records

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chatiere/tenants"
)

// Database keeps the records' mark.
type Database interface {
	// Mark returns the zero mark when the records bear none.
	Mark(ctx context.Context) (tenants.Mark, error)
	// AdvanceMark adds one; ErrConflict when the records are another installation's.
	AdvanceMark(ctx context.Context, installation, host string) (tenants.Mark, error)
	// SetMark writes a mark, and one line of the audit trail unless it is nil.
	SetMark(ctx context.Context, m tenants.Mark, told *tenants.AuditEntry) error
}

// Guard keeps a worker from acting by records that do not belong to its data root. It is safe for concurrent use.
type Guard struct {
	Database Database
	File     File
	Host     string // names this worker to people
	Now      func() time.Time

	mu    sync.Mutex
	known tenants.Mark
	// unsure is set while an advance may have happened in the database without our having heard of it.
	unsure bool
}

// Fits compares database and data root as they are now. It changes nothing.
func (g *Guard) Fits(ctx context.Context) error {
	_, _, err := g.compare(ctx)
	return err
}

// compare reads both marks. The error is of Compare when they do not belong together.
func (g *Guard) compare(ctx context.Context) (database, root tenants.Mark, err error) {
	if root, err = g.File.Read(); err != nil {
		return database, root, err
	}
	if database, err = g.Database.Mark(ctx); err != nil {
		return database, root, err
	}
	return database, root, Compare(database, root)
}

// Begin compares database and data root as they are now and takes them up when they belong together; records and a data
// root that neither bear a mark get their first. The error is of Compare when they do not belong together.
func (g *Guard) Begin(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	database, root, err := g.compare(ctx)
	if err != nil {
		return err
	}
	if database.Installation == "" {
		return g.first(ctx, root)
	}
	if database.Count > root.Count {
		if err := g.File.Write(database); err != nil {
			return err
		}
	}
	g.known, g.unsure = database, false
	return nil
}

// first gives both their first mark, the data root before the database: a root whose count is 0 has not been worked on, so
// a kill in between is begun again.
func (g *Guard) first(ctx context.Context, root tenants.Mark) error {
	if root.Installation == "" {
		root = tenants.Mark{Installation: newInstallation(), Host: g.Host, At: g.Now().UTC()}
		if err := g.File.Replace(root); err != nil {
			return err
		}
	}
	if err := g.Database.SetMark(ctx, root, nil); err != nil {
		return err
	}
	g.known = root
	return nil
}

// Advance marks that work is taken up; it must have succeeded before the work has any effect. An error of Compare means
// that the records were exchanged, or are worked by somebody else too, since Begin.
func (g *Guard) Advance(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.check(ctx); err != nil {
		return err
	}
	g.unsure = true
	now, err := g.Database.AdvanceMark(ctx, g.known.Installation, g.Host)
	if errors.Is(err, tenants.ErrConflict) {
		return fmt.Errorf("%w: they were exchanged while this worker worked", ErrForeign)
	}
	if err != nil {
		return err
	}
	if err := g.File.Write(now); err != nil {
		return err
	}
	g.known, g.unsure = now, false
	return nil
}

// Check compares again, without a change.
func (g *Guard) Check(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.check(ctx)
}

func (g *Guard) check(ctx context.Context) error {
	now, err := g.Database.Mark(ctx)
	if err != nil {
		return err
	}
	if err := Compare(now, g.known); err != nil {
		return err
	}
	if now.Installation == "" {
		return fmt.Errorf("%w: they bear no mark any more", ErrOlder)
	}
	if now.Count == g.known.Count {
		return nil
	}
	if !g.unsure {
		return fmt.Errorf("%w: a worker on %s works by them too", ErrNewer, now.Host)
	}
	// Our own last advance, of which we only did not hear: the data root gets it before the next.
	if err := g.File.Write(now); err != nil {
		return err
	}
	g.known, g.unsure = now, false
	return nil
}
