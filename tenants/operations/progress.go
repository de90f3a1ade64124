package operations

import (
	"context"
	"errors"
	"sync"
	"time"

	"chatiere/tenants/recovery"
)

// UnitBytes is the unit of progress that people read as a size. Other units are shown as they are.
const UnitBytes = "bytes"

// Progress is how far a step has come.
type Progress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total"` // 0: unknown
	Unit  string `json:"unit"`
}

const (
	// progressInterval is how often a step's progress is stored at most.
	progressInterval = time.Second
	// cancelTicks is how many of these intervals lie between two looks for a cancellation.
	cancelTicks = 2
)

// errStepCancelled ends a step that is cancelled while it runs.
var errStepCancelled = errors.New("the step was cancelled")

// Progress tells how far the step has come, 0 as total when that is unknown. It may be called as often as wanted: the last
// values are stored once a second, and only when they have changed.
func (r *Run) Progress(done, total int64, unit string) {
	r.progress.Store(&Progress{Done: done, Total: total, Unit: unit})
}

// monitored runs a step's functions and meanwhile stores the progress they tell. A cancellable step whose operation is
// cancelled has its context cancelled, and the error is errStepCancelled.
func (t *task) monitored(ctx context.Context, seq int, cancellable bool, run func(ctx context.Context) error) error {
	t.run.progress.Store(nil)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var monitor sync.WaitGroup
	monitor.Go(func() {
		defer recovery.Log(t.log, "monitoring a step")
		t.monitor(ctx, seq, cancellable, cancel)
	})
	err := run(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	monitor.Wait() // before the step's row is written again
	if err != nil && errors.Is(cause, errStepCancelled) && !errors.Is(err, recovery.ErrPanic) {
		return errStepCancelled
	}
	return err
}

func (t *task) monitor(ctx context.Context, seq int, cancellable bool, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	var stored Progress
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := t.run.progress.Load(); now != nil && *now != stored && t.storeProgress(ctx, seq, *now) {
			stored = *now
		}
		if !cancellable || n%cancelTicks != 0 {
			continue
		}
		if cancelled, err := t.Store.Cancelled(ctx, t.op.ID); err == nil && cancelled {
			cancel(errStepCancelled)
			return
		}
	}
}

// storeProgress reports whether the progress was stored. A failure is left to the next second: it decides nothing.
func (t *task) storeProgress(ctx context.Context, seq int, p Progress) bool {
	// A step that ends meanwhile must not cost the connection that the statement runs on.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := t.Store.SetProgress(ctx, t.op.ID, t.op.Lease.Fence, seq, p)
	if err != nil {
		t.log.Debug("storing a step's progress failed", "error", err)
	}
	return err == nil
}
