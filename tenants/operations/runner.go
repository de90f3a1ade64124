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

// Runner carries out operations: a few slots claim due ones and take them step by step to their end.
type Runner struct {
	Store    Store
	Registry *Registry
	Owner    string // names this process in leases
	Log      *slog.Logger
	Now      func() time.Time
	Slots    int           // operations at a time; 0: 4
	Lease    time.Duration // 0: 30 s; renewed three times as often
	Idle     time.Duration // how long to sleep when nothing is due and nobody nudges; 0: 10 s
	// At is called at every failure point. Nil in production; tests stop the process there.
	At func(ctx context.Context, op Operation, step string, p Point)
	// Ended hears of each operation that left the slot, after the rows are written. May be nil.
	Ended func(op Operation)

	once sync.Once
	wake chan struct{}
}

// Point is an instant at which a kill must do no harm.
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
	// releaseTime bounds giving a lease back while the process stops.
	releaseTime = 5 * time.Second
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

// Nudge tells the runner that something is due. It never blocks.
func (r *Runner) Nudge() {
	r.prepare()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Runner) nudgeIn(d time.Duration) { time.AfterFunc(d, r.Nudge) }

// Run claims and carries out operations until ctx ends, then gives back what it holds and returns.
func (r *Runner) Run(ctx context.Context) {
	r.prepare()
	var slots sync.WaitGroup
	for range r.Slots {
		slots.Go(func() { recovery.Keep(ctx, r.Log, "claiming operations", r.slot) })
	}
	// One look for all slots: who finds something wakes a neighbour.
	look := time.NewTicker(r.Idle)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-look.C:
			r.Nudge()
		}
	}
	slots.Wait()
}

func (r *Runner) slot(ctx context.Context) {
	for ctx.Err() == nil {
		op, err := r.Store.Claim(ctx, r.Owner, r.Lease)
		if err == nil {
			r.Nudge() // perhaps more is due: wake a neighbour
			r.hold(ctx, op)
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

// hold works on an operation. A panic outside of its plan's functions costs the operation its lease's time, and nobody else
// anything.
func (r *Runner) hold(ctx context.Context, op Operation) {
	defer recovery.Log(r.Log, "carrying out operation "+op.ID)
	r.work(ctx, op)
}

// work holds the lease of one claimed operation while its steps run.
func (r *Runner) work(ctx context.Context, op Operation) {
	held, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		defer recovery.Log(r.Log, "renewing the lease of operation "+op.ID)
		r.keep(held, op, lose)
	})
	t := &task{Runner: r, op: op, log: r.Log.With("operation", op.ID, "kind", op.Kind, "site", op.SiteID)}
	err := t.advance(held)
	lose(nil)
	keeper.Wait()
	if err == nil {
		if r.Ended != nil {
			r.Ended(t.op)
		}
		return
	}
	if errors.Is(err, ErrFenced) || errors.Is(context.Cause(held), ErrFenced) {
		t.log.Warn("lease lost; leaving the operation to its new holder")
		return
	}
	t.giveBack(ctx, err)
}

// keep renews the lease until held ends; when it is lost, it cancels the work.
func (r *Runner) keep(held context.Context, op Operation, lose context.CancelCauseFunc) {
	tick := time.NewTicker(r.Lease / 3)
	defer tick.Stop()
	renewed := r.Now()
	for {
		select {
		case <-held.Done():
			return
		case <-tick.C:
		}
		err := r.Store.Renew(held, op.ID, op.Lease.Fence, r.Lease)
		switch {
		case err == nil:
			renewed = r.Now()
		case errors.Is(err, ErrFenced):
			lose(ErrFenced)
			return
		case r.Now().Sub(renewed) > r.Lease:
			// The database has not answered for a whole lease: by its clock somebody else may hold it now.
			lose(fmt.Errorf("renewing the lease: %w", ErrFenced))
			return
		}
	}
}
