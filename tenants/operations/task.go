package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"chatiere/tenants/recovery"
)

// task is one claimed operation in a slot.
type task struct {
	*Runner
	op   Operation
	plan Plan
	run  *Run
	log  *slog.Logger
}

const (
	// maxFailures bounds the attempts of one step before the pivot; with the back-off below they take three and a half
	// minutes, longer than Keycloak needs to restart on a busy machine.
	maxFailures = 14
	firstDelay  = 250 * time.Millisecond
	maxDelay    = 30 * time.Second
	// waitInterval is how often an operation that waits for disk space tries again.
	waitInterval = 5 * time.Second
)

// advance runs the operation as far as possible. A nil error means that its rows are up to date and the lease is released;
// after any other error that is left to the caller.
func (t *task) advance(ctx context.Context) error {
	plan, err := t.Registry.Plan(t.op.Kind, t.op.PlanVersion)
	if err != nil {
		return t.setState(ctx, Stuck, CauseUnknownPlan, err)
	}
	if len(plan.Steps) != len(t.op.Steps) {
		err := fmt.Errorf("plan %s v%d has %d steps, the records %d", plan.Kind, plan.Version, len(plan.Steps), len(t.op.Steps))
		return t.setState(ctx, Stuck, CauseContradiction, err)
	}
	t.plan = plan
	t.run = &Run{Op: t.op, results: map[string]json.RawMessage{}}
	for _, s := range t.op.Steps {
		t.run.results[s.Name] = s.Result
	}
	if !t.op.undoStarted() {
		undo, err := t.forward(ctx)
		if err != nil || !undo {
			return err
		}
	}
	return t.backward(ctx)
}

// forward runs the pending steps; it reports true when the operation has to be undone instead.
func (t *task) forward(ctx context.Context) (undo bool, err error) {
	pivot := t.plan.pivot()
	for i, step := range t.plan.Steps {
		rec := &t.op.Steps[i]
		if rec.State == StepDone {
			continue
		}
		if i <= pivot {
			cancelled, err := t.Store.Cancelled(ctx, t.op.ID)
			if err != nil {
				return false, err
			}
			if cancelled {
				return true, t.beginUndo(ctx, CauseCancelled, nil)
			}
		}
		err := t.executeStep(ctx, step, rec)
		if errors.Is(err, errStepCancelled) && ctx.Err() == nil {
			return true, t.beginUndo(ctx, CauseCancelled, nil)
		}
		if err != nil {
			return t.handleFailure(ctx, i, pivot, rec, err)
		}
	}
	return false, t.end(ctx, Done, t.plan.Finish)
}

// end writes the final state with the plan's outcome. If the outcome fails permanently, the operation becomes stuck.
func (t *task) end(ctx context.Context, state State, outcome func(context.Context, *Run) error) error {
	err := t.Store.End(ctx, t.op.ID, t.op.Lease.Fence, state, func(ctx context.Context) error {
		if err := callRecovered(ctx, t.run, outcome); err != nil {
			return &outcomeError{err}
		}
		return nil
	})
	if kind, cause := classify(err); err != nil && kind != transient && ctx.Err() == nil {
		return t.setState(ctx, Stuck, cause, err)
	}
	if err == nil {
		t.op.State = state
		t.log.Info("operation ended", "state", state, "cause", t.op.Problem)
	}
	return err
}

// outcomeError marks an error of a plan's Finish or Revert: unlike one of the database it is likely to repeat at once.
type outcomeError struct{ err error }

func (e *outcomeError) Error() string { return "writing the outcome: " + e.err.Error() }
func (e *outcomeError) Unwrap() error { return e.err }

// executeStep runs one step, which a predecessor may have begun.
func (t *task) executeStep(ctx context.Context, step Step, rec *StepRecord) error {
	now := t.Now().UTC()
	rec.State, rec.StartedAt, rec.EndedAt, rec.Progress = StepDoing, &now, nil, nil
	t.op.State, t.run.result = Running, nil
	if err := t.Store.Advance(ctx, t.op.ID, t.op.Lease.Fence, Running, *rec); err != nil {
		return err
	}
	cancellable := step.Cancellable && rec.Seq <= t.plan.pivot()
	err := t.monitored(ctx, rec.Seq, cancellable, func(ctx context.Context) error { return t.runStep(ctx, step) })
	if err != nil {
		return err
	}
	t.reachPoint(ctx, step.Name, BeforeCommit)
	ended := t.Now().UTC()
	rec.State, rec.EndedAt, rec.Error, rec.Result = StepDone, &ended, "", t.run.result
	if err := t.Store.Commit(ctx, t.op.ID, t.op.Lease.Fence, *rec); err != nil {
		return err
	}
	t.run.results[rec.Name] = rec.Result
	t.reachPoint(ctx, step.Name, AfterCommit)
	return nil
}

func (t *task) runStep(ctx context.Context, step Step) error {
	there := false
	t.reachPoint(ctx, step.Name, BeforeObserve)
	if step.Observe != nil {
		var err error
		if there, err = observeRecovered(ctx, t.run, step.Observe); err != nil {
			return fmt.Errorf("observing %s: %w", step.Name, err)
		}
	}
	t.reachPoint(ctx, step.Name, BeforeDo)
	if !there {
		if err := callRecovered(ctx, t.run, step.Do); err != nil {
			return fmt.Errorf("doing %s: %w", step.Name, err)
		}
	}
	t.reachPoint(ctx, step.Name, AfterDo)
	if err := callRecovered(ctx, t.run, step.Verify); err != nil {
		return fmt.Errorf("verifying %s: %w", step.Name, err)
	}
	return nil
}

func (t *task) reachPoint(ctx context.Context, step string, p Point) {
	if t.AtPoint != nil {
		t.AtPoint(ctx, t.op, step, p)
	}
}

// handleFailure decides how to continue after a step's error.
func (t *task) handleFailure(ctx context.Context, i, pivot int, rec *StepRecord, err error) (undo bool, _ error) {
	if ctx.Err() != nil || errors.Is(err, ErrFenced) {
		return false, err
	}
	kind, cause := classify(err)
	before := i <= pivot
	rec.Attempt++
	rec.Error = err.Error()
	t.log.Warn("step failed", "step", rec.Name, "attempt", rec.Attempt, "error", err)
	switch {
	case kind == waiting:
		return false, t.requeue(ctx, Running, rec, waitInterval, cause, err)
	case kind == needsPerson:
		return false, t.setState(ctx, Stuck, cause, err)
	case kind == permanent && before, kind == transient && before && rec.Attempt >= maxFailures:
		return true, t.beginUndo(ctx, cause, err)
	case kind == permanent:
		return false, t.setState(ctx, Stuck, cause, err)
	}
	return false, t.requeue(ctx, Running, rec, backoff(rec.Attempt), "", err)
}

func (t *task) beginUndo(ctx context.Context, cause Cause, err error) error {
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	t.op.State, t.op.Problem, t.op.Detail = Undoing, string(cause), detail
	return t.Store.SetState(ctx, t.op.ID, t.op.Lease.Fence, Undoing, string(cause), detail)
}

// backward undoes every step that was begun, last first.
func (t *task) backward(ctx context.Context) error {
	for i := len(t.plan.Steps) - 1; i >= 0; i-- {
		rec := &t.op.Steps[i]
		if rec.State == StepPending || rec.State == StepUndone {
			continue
		}
		if err := t.undo(ctx, t.plan.Steps[i], rec); err != nil {
			if ctx.Err() != nil || errors.Is(err, ErrFenced) {
				return err
			}
			if kind, cause := classify(err); kind == needsPerson || cause == CauseProgram {
				return t.setState(ctx, Stuck, cause, err)
			}
			rec.Attempt++
			rec.Error = err.Error()
			t.log.Warn("undoing a step failed", "step", rec.Name, "attempt", rec.Attempt, "error", err)
			return t.requeue(ctx, Undoing, rec, backoff(rec.Attempt), Cause(t.op.Problem), err)
		}
	}
	return t.end(ctx, Undone, t.plan.Revert)
}

func (t *task) undo(ctx context.Context, step Step, rec *StepRecord) error {
	if rec.State != StepUndoing {
		rec.State, rec.Attempt = StepUndoing, 0
	}
	if err := t.Store.Advance(ctx, t.op.ID, t.op.Lease.Fence, Undoing, *rec); err != nil {
		return err
	}
	t.reachPoint(ctx, step.Name, BeforeUndo)
	if err := callRecovered(ctx, t.run, step.Undo); err != nil {
		return fmt.Errorf("undoing %s: %w", step.Name, err)
	}
	t.reachPoint(ctx, step.Name, AfterUndo)
	now := t.Now().UTC()
	rec.State, rec.EndedAt = StepUndone, &now
	if err := t.Store.Commit(ctx, t.op.ID, t.op.Lease.Fence, *rec); err != nil {
		return err
	}
	t.reachPoint(ctx, step.Name, AfterUndoCommit)
	return nil
}

func (t *task) setState(ctx context.Context, state State, cause Cause, err error) error {
	t.op.State, t.op.Problem, t.op.Detail = state, string(cause), err.Error()
	t.log.Error("operation needs a person", "cause", cause, "error", err)
	return t.Store.SetState(ctx, t.op.ID, t.op.Lease.Fence, state, string(cause), err.Error())
}

func (t *task) requeue(ctx context.Context, state State, rec *StepRecord, d time.Duration, cause Cause, err error) error {
	if e := t.Store.Advance(ctx, t.op.ID, t.op.Lease.Fence, state, *rec); e != nil {
		return e
	}
	if e := t.Store.Requeue(ctx, t.op.ID, t.op.Lease.Fence, d, string(cause), err.Error()); e != nil {
		return e
	}
	t.nudgeAfter(d + time.Millisecond)
	return nil
}

// releaseLease releases the lease after a database error or when the process stops, so that nobody has to wait for its
// expiry. If that fails too, the lease expires by itself.
func (t *task) releaseLease(ctx context.Context, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	t.log.Warn("releasing an operation", "error", cause)
	delay := firstDelay
	if errors.As(cause, new(*outcomeError)) {
		delay = waitInterval
	}
	if err := t.Store.Requeue(ctx, t.op.ID, t.op.Lease.Fence, delay, t.op.Problem, cause.Error()); err != nil {
		t.log.Warn("releasing a lease failed; it will expire", "error", err)
	}
	t.nudgeAfter(delay + time.Millisecond)
}

// backoff doubles from firstDelay to maxDelay with a jitter of a quarter, so that many operations do not retry at once.
func backoff(attempt int) time.Duration {
	d := firstDelay << min(attempt-1, 10)
	d = min(d, maxDelay)
	return d - d/8 + rand.N(d/4)
}

// callRecovered calls one function of a plan and turns a panic into an error, so that other operations are not affected.
func callRecovered(ctx context.Context, run *Run, fn func(context.Context, *Run) error) (err error) {
	if fn == nil {
		return nil
	}
	defer recovery.Error(&err)
	return fn(ctx, run)
}

func observeRecovered(ctx context.Context, run *Run, fn func(context.Context, *Run) (bool, error)) (there bool, err error) {
	defer recovery.Error(&err)
	return fn(ctx, run)
}
