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

// Runner executes operations: it claims due ones while their lanes have free slots, and runs their steps.
type Runner struct {
	Store    Store
	Registry *Registry
	Owner    string // names this process in leases
	Log      *slog.Logger
	Now      func() time.Time
	Slots    map[Lane]int  // operations of each lane at a time; nil: as many as in defaultSlots
	Lease    time.Duration // 0: 30 s; renewed three times as often
	Idle     time.Duration // poll interval when nobody nudges; 0: 10 s
	// AtPoint is called at every failure point. Nil in production; tests stop the process there.
	AtPoint func(ctx context.Context, op Operation, step string, p Point)
	// Ended is called for each operation that left its slot, after the rows are written. May be nil.
	Ended func(op Operation)

	once  sync.Once
	wake  chan struct{}
	slots slots
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
	defaultLease = 30 * time.Second
	defaultIdle  = 10 * time.Second
	// releaseTimeout bounds the release of a lease while the process stops.
	releaseTimeout = 5 * time.Second
)

func (r *Runner) prepare() {
	r.once.Do(func() {
		r.wake = make(chan struct{}, 1)
		if r.slots.limits = r.Slots; r.Slots == nil {
			r.slots.limits = defaultSlots
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

// Nudge wakes the runner because something is due. It never blocks.
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
	var running sync.WaitGroup
	recovery.Keep(ctx, r.Log, "claiming operations", func(ctx context.Context) { r.claimWhenDue(ctx, &running) })
	running.Wait()
}

// claimWhenDue claims after each nudge and once in each poll interval: one statement for all lanes when nothing is due.
func (r *Runner) claimWhenDue(ctx context.Context, running *sync.WaitGroup) {
	poll := time.NewTicker(r.Idle)
	defer poll.Stop()
	for ctx.Err() == nil {
		for r.claim(ctx, running) {
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-poll.C:
		}
	}
}

// claim starts the oldest due operation of the lanes with a free slot; false when there is none.
func (r *Runner) claim(ctx context.Context, running *sync.WaitGroup) bool {
	lanes := r.slots.free()
	if len(lanes) == 0 || ctx.Err() != nil {
		return false
	}
	op, err := r.Store.Claim(ctx, r.Owner, lanes, r.Lease)
	if err != nil {
		if !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
			r.Log.Error("claiming an operation failed", "error", err)
		}
		return false
	}
	r.slots.occupy(op.Lane, 1)
	running.Go(func() {
		// A panic outside of its plan's functions delays this operation until its lease expires, and no other.
		defer recovery.Log(r.Log, "executing operation "+op.ID)
		defer r.Nudge() // another may have waited for this slot
		defer r.slots.occupy(op.Lane, -1)
		r.execute(ctx, op)
	})
	return true
}

// execute renews the lease of a claimed operation while its steps run.
func (r *Runner) execute(ctx context.Context, op Operation) {
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
