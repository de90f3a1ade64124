// Package worker is the run loop of the worker, which executes operations and recurring jobs: it alone acts on the data root
// and on the container engine. It takes its data root, waits for records that belong to it, prepares both, and then keeps
// its parts running until it is stopped. Its control socket answers the panel and root.
//
// It knows neither SQL nor Docker nor Keycloak. Start reading at Worker.Run; what it does without being asked is in
// recurringJobs.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/findings"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/records"
	"chatiere/tenants/recovery"
	"chatiere/tenants/schedule"
)

// Worker executes operations and jobs.
type Worker struct {
	Root     DataRoot
	Control  Control
	Records  Records
	Database Database
	Guard    *records.Guard
	Findings *findings.Store // shared by all checkers
	Disk     Disk
	Engine   Engine
	Realm    Realm // nil: an external realm gave us no account to administer it
	Sites    Sites
	Jobs     Jobs
	Now      func() time.Time
	Log      *slog.Logger

	dirty    *dirtySites
	listsDue chan struct{} // holds one entry while lists have to be renewed
	board    schedule.Board
	refusal  atomic.Pointer[error] // why the records are refused
	ready    atomic.Bool           // at work
	end      context.CancelCauseFunc
}

// Records are the records as the worker's own user sees them.
type Records interface {
	operations.Store
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	// Unreleased returns the sites that were made before there were releases.
	Unreleased(ctx context.Context) ([]tenants.Unreleased, error)
	RaiseUIDs(ctx context.Context, seen int) error
	Heartbeat(ctx context.Context, worker, restartCommand string) error
	// NoteRights records that everybody's rights have been copied.
	NoteRights(ctx context.Context, worker string) error
	PruneHistory(ctx context.Context, before time.Time) error
}

// Disk is the sites' part of the data root.
type Disk interface {
	provision.DiskSpace
	// HighestUID returns the highest user id in use up to last; 0 for none.
	HighestUID(ctx context.Context, last int) (int, error)
	EnsureDatabaseSocket(ctx context.Context, s tenants.Site) error
	// EnsureEntry writes the panel's public key to the site.
	EnsureEntry(ctx context.Context, s tenants.Site) error
}

// Realm is the realm that people sign in to.
type Realm interface {
	// Ensure updates the realm's settings.
	Ensure(ctx context.Context) error
	// SignOut ends a person's sessions.
	SignOut(ctx context.Context, subject string) error
}

// Run runs until ctx ends, then releases its leases. It waits for the lock that excludes a second worker on the same data
// root, for the database, and for records that belong to this data root.
func (w *Worker) Run(ctx context.Context) error {
	unlock, err := w.Root.lock(ctx, w.Log)
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.Root.writeSiteFiles(); err != nil {
		return err
	}
	w.dirty, w.listsDue = newDirtySites(), make(chan struct{}, 1)
	w.Jobs.Monitor.Findings, w.Jobs.Monitor.Sites = findingsWhenReady{w}, w.dirty.add
	sockets, err := w.openSockets()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var parts sync.WaitGroup
	keep := func(what string, part func(context.Context)) {
		parts.Go(func() { recovery.Keep(ctx, w.Log, what, part) })
	}
	parts.Go(func() { // first: the doctor reports what the worker waits for
		defer recovery.Log(w.Log, "serving panel and root")
		w.serve(ctx, sockets)
	})
	// The monitor starts before anything that waits for the database, which may be the container that is gone. On a new data
	// root it starts later: a second worker started there by mistake must not repair the first one's containers.
	monitor := sync.OnceFunc(func() { keep("watching the platform", w.Jobs.Monitor.Run) })
	if w.hasWorked() {
		monitor()
	}
	err = w.awaitMatchingRecords(ctx)
	if err == nil {
		err = w.prepare(ctx)
	}
	if err != nil {
		end(err)
		parts.Wait()
		return err
	}
	monitor()
	w.end, w.Sites.Runner.Store = end, fencedStore{w.Records, w.Guard, end, w.Disk}
	keep("pinging the engine", func(ctx context.Context) { end(watchEngine(ctx, w.Engine.ping)) })
	keep("executing operations", w.Sites.Runner.Run)
	keep("running recurring jobs", w.runRecurring)
	keep("running scheduled tasks", w.Jobs.Sites.RunCron)
	keep("checking sites with events", func(ctx context.Context) { w.dirty.run(ctx, w.checkSites) })
	keep("renewing egress lists", w.renewLists)
	w.ready.Store(true)
	w.Log.Info("worker ready")
	parts.Wait()
	if err := context.Cause(ctx); errors.Is(err, errEngineSilent) || isMismatch(err) {
		return err
	}
	return nil
}

// Outcomes returns the results of the last runs of the recurring jobs.
func (w *Worker) Outcomes() []schedule.Outcome { return w.board.Outcomes() }
