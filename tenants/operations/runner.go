package operations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants/recovery"
)

// Runner executes operations: a few slots claim due ones and run their steps.
type Runner struct {
	Store    Store
	Registry *Registry
	Owner    string // names this process in leases
	Log      *slog.Logger
	Now      func() time.Time
	Slots    int           // operations at a time; 0: 4
	Lease    time.Duration // 0: 30 s; renewed three times as often
	Idle     time.Duration // poll interval when nobody nudges; 0: 10 s
	// AtPoint is called at every failure point. Nil in production; tests stop the process there.
	AtPoint func(ctx context.Context, op Operation, step string, p Point)
	// Ended is called for each operation that left its slot, after the rows are written. May be nil.
	Ended func(op Operation)

	once sync.Once
	wake chan struct{}
}

// Point is a failure point: an instant at which a kill must do no harm.
type Point string

// The failure points around each effect.
const (
	BeforeObserve   Point = "before-observe"
	BeforeDo        Point = "before-do"
	AfterDo         Point = "after-do"
	BeforeCommit    Point = "before-commit"
	AfterCommit     Point = "after-commit"
	BeforeUndo      Point = "before-undo"
	AfterUndo       Point = "after-undo"
	AfterUndoCommit Point = "after-undo-commit"
)

// Points returns every failure point, those of undoing last.
func Points() []Point {
	return []Point{BeforeObserve, BeforeDo, AfterDo, BeforeCommit, AfterCommit, BeforeUndo, AfterUndo, AfterUndoCommit}
}

const (
	defaultSlots = 4
	defaultLease = 30 * time.Second
	defaultIdle  = 10 * time.Second
	// releaseTimeout bounds the release of a lease while the process stops.
	releaseTimeout = 5 * time.Second
)

func (r *Runner) prepare() {
	r.once.Do(func() {
		r.wake = make(chan struct{}, 1)
		if r.Slots == 0 {
			r.Slots = defaultSlots
		}
		if r.Lease == 0 {
			r.Lease = defaultLease
		}
		if r.Idle == 0 {
			r.Idle = defaultIdle
		}
		if r.Now == nil {
			r.Now = time.Now
		}
	})
}

// Nudge wakes a slot because something is due. It never blocks.
func (r *Runner) Nudge() {
	r.prepare()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Runner) nudgeAfter(d time.Duration) { time.AfterFunc(d, r.Nudge) }

// Run claims and executes operations until ctx ends, then releases its leases and returns.
func (r *Runner) Run(ctx context.Context) {
	r.prepare()
	var slots sync.WaitGroup
	for range r.Slots {
		slots.Go(func() { recovery.Keep(ctx, r.Log, "claiming operations", r.slot) })
	}
	// One poll for all slots: a slot that finds something wakes the next.
	poll := time.NewTicker(r.Idle)
	defer poll.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-poll.C:
			r.Nudge()
		}
	}
	slots.Wait()
}

func (r *Runner) slot(ctx context.Context) {
	for ctx.Err() == nil {
		op, err := r.Store.Claim(ctx, r.Owner, r.Lease)
		if err == nil {
			r.Nudge() // more may be due: wake the next slot
			r.execute(ctx, op)
			continue
		}
		if !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
			r.Log.Error("claiming an operation failed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		}
	}
}

// execute runs an operation. A panic outside of its plan's functions delays that operation until its lease expires, and no
// other.
func (r *Runner) execute(ctx context.Context, op Operation) {
	defer recovery.Log(r.Log, "executing operation "+op.ID)
	r.runLeased(ctx, op)
}

// runLeased renews the lease of a claimed operation while its steps run.
func (r *Runner) runLeased(ctx context.Context, op Operation) {
	leased, loseLease := context.WithCancelCause(ctx)
	defer loseLease(nil)
	var renewal sync.WaitGroup
	renewal.Go(func() {
		defer recovery.Log(r.Log, "renewing the lease of operation "+op.ID)
		r.renewLease(leased, op, loseLease)
	})
	t := &task{Runner: r, op: op, log: r.Log.With("operation", op.ID, "kind", op.Kind, "site", op.SiteID)}
	err := t.advance(leased)
	loseLease(nil)
	renewal.Wait()
	if err == nil {
		if r.Ended != nil {
			r.Ended(t.op)
		}
		return
	}
	if errors.Is(err, ErrFenced) || errors.Is(context.Cause(leased), ErrFenced) {
		t.log.Warn("lease lost; leaving the operation to its new holder")
		return
	}
	t.releaseLease(ctx, err)
}

// renewLease renews the lease until leased ends; when the lease is lost, it cancels the work.
func (r *Runner) renewLease(leased context.Context, op Operation, loseLease context.CancelCauseFunc) {
	tick := time.NewTicker(r.Lease / 3)
	defer tick.Stop()
	renewed := r.Now()
	for {
		select {
		case <-leased.Done():
			return
		case <-tick.C:
		}
		err := r.Store.Renew(leased, op.ID, op.Lease.Fence, r.Lease)
		switch {
		case err == nil:
			renewed = r.Now()
		case errors.Is(err, ErrFenced):
			loseLease(ErrFenced)
			return
		case r.Now().Sub(renewed) > r.Lease:
			// The database has not answered for a whole lease: another worker may hold it now.
			loseLease(fmt.Errorf("renewing the lease: %w", ErrFenced))
			return
		}
	}
}
