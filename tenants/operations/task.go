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
	// maxFailures bounds the tries of one step before the pivot; with the back-off below they take three and a half
	// minutes, longer than Keycloak needs to come back on a busy machine.
	maxFailures = 14
	firstDelay  = 250 * time.Millisecond
	maxDelay    = 30 * time.Second
	// waitDelay is how often an operation that waits for room on the disk looks again.
	waitDelay = 5 * time.Second
)

// advance takes the operation as far as it goes now. A nil error means that its rows say where it stands and that the
// lease is given back; any other error leaves that to the caller.
func (t *task) advance(ctx context.Context) error {
	plan, err := t.Registry.Plan(t.op.Kind, t.op.PlanVersion)
	if err != nil {
		return t.turn(ctx, Stuck, CauseUnknownPlan, err)
	}
	if len(plan.Steps) != len(t.op.Steps) {
		err := fmt.Errorf("plan %s v%d has %d steps, the records %d", plan.Kind, plan.Version, len(plan.Steps), len(t.op.Steps))
		return t.turn(ctx, Stuck, CauseContradiction, err)
	}
	t.plan = plan
	t.run = &Run{Op: t.op, results: map[string]json.RawMessage{}}
	for _, s := range t.op.Steps {
		t.run.results[s.Name] = s.Result
	}
	if !t.op.turnedBack() {
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
		if err := t.do(ctx, step, rec); err != nil {
			return t.failed(ctx, i, pivot, rec, err)
		}
	}
	return false, t.end(ctx, Done, t.plan.Finish)
}

// end writes the final state with the plan's outcome. An outcome that no retry can bring about holds the operation for a
// person.
func (t *task) end(ctx context.Context, state State, outcome func(context.Context, *Run) error) error {
	err := t.Store.End(ctx, t.op.ID, t.op.Lease.Fence, state, func(ctx context.Context) error {
		if err := guard(ctx, t.run, outcome); err != nil {
			return &outcomeError{err}
		}
		return nil
	})
	if kind, cause := classify(err); err != nil && kind != transient && ctx.Err() == nil {
		return t.turn(ctx, Stuck, cause, err)
	}
	if err == nil {
		t.op.State = state
		t.log.Info("operation ended", "state", state, "cause", t.op.Problem)
	}
	return err
}

// outcomeError marks an error of a plan's Finish or Revert: unlike one of the database it may well come again at once.
type outcomeError struct{ err error }

func (e *outcomeError) Error() string { return "writing the outcome: " + e.err.Error() }
func (e *outcomeError) Unwrap() error { return e.err }

// do runs one step from where its predecessor may have left it.
func (t *task) do(ctx context.Context, step Step, rec *StepRecord) error {
	now := t.Now().UTC()
	rec.State, rec.StartedAt, rec.EndedAt = StepDoing, &now, nil
	t.op.State, t.run.set = Running, nil
	if err := t.Store.Advance(ctx, t.op.ID, t.op.Lease.Fence, Running, *rec); err != nil {
		return err
	}
	if err := t.effect(ctx, step); err != nil {
		return err
	}
	t.at(ctx, step.Name, BeforeCommit)
	ended := t.Now().UTC()
	rec.State, rec.EndedAt, rec.Error, rec.Result = StepDone, &ended, "", t.run.set
	if err := t.Store.Commit(ctx, t.op.ID, t.op.Lease.Fence, *rec); err != nil {
		return err
	}
	t.run.results[rec.Name] = rec.Result
	t.at(ctx, step.Name, AfterCommit)
	return nil
}

func (t *task) effect(ctx context.Context, step Step) error {
	there := false
	t.at(ctx, step.Name, BeforeObserve)
	if step.Observe != nil {
		var err error
		if there, err = guard2(ctx, t.run, step.Observe); err != nil {
			return fmt.Errorf("observing %s: %w", step.Name, err)
		}
	}
	t.at(ctx, step.Name, BeforeDo)
	if !there {
		if err := guard(ctx, t.run, step.Do); err != nil {
			return fmt.Errorf("doing %s: %w", step.Name, err)
		}
	}
	t.at(ctx, step.Name, AfterDo)
	if err := guard(ctx, t.run, step.Verify); err != nil {
		return fmt.Errorf("verifying %s: %w", step.Name, err)
	}
	return nil
}

func (t *task) at(ctx context.Context, step string, p Point) {
	if t.At != nil {
		t.At(ctx, t.op, step, p)
	}
}

// failed decides what a step's error means.
func (t *task) failed(ctx context.Context, i, pivot int, rec *StepRecord, err error) (undo bool, _ error) {
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
		return false, t.postpone(ctx, Running, rec, waitDelay, cause, err)
	case kind == person:
		return false, t.turn(ctx, Stuck, cause, err)
	case kind == permanent && before, kind == transient && before && rec.Attempt >= maxFailures:
		return true, t.beginUndo(ctx, cause, err)
	case kind == permanent:
		return false, t.turn(ctx, Stuck, cause, err)
	}
	return false, t.postpone(ctx, Running, rec, backoff(rec.Attempt), "", err)
}

func (t *task) beginUndo(ctx context.Context, cause Cause, err error) error {
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	t.op.State, t.op.Problem, t.op.Detail = Undoing, string(cause), detail
	return t.Store.Turn(ctx, t.op.ID, t.op.Lease.Fence, Undoing, string(cause), detail)
}

// backward undoes every step that was begun, last first.
func (t *task) backward(ctx context.Context) error {
	for i := len(t.plan.Steps) - 1; i >= 0; i-- {
		rec := &t.op.Steps[i]
		if rec.State == StepPending || rec.State == StepReverted {
			continue
		}
		if err := t.undo(ctx, t.plan.Steps[i], rec); err != nil {
			if ctx.Err() != nil || errors.Is(err, ErrFenced) {
				return err
			}
			if kind, cause := classify(err); kind == person || cause == CauseProgram {
				return t.turn(ctx, Stuck, cause, err)
			}
			rec.Attempt++
			rec.Error = err.Error()
			t.log.Warn("undoing a step failed", "step", rec.Name, "attempt", rec.Attempt, "error", err)
			return t.postpone(ctx, Undoing, rec, backoff(rec.Attempt), Cause(t.op.Problem), err)
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
	t.at(ctx, step.Name, BeforeUndo)
	if err := guard(ctx, t.run, step.Undo); err != nil {
		return fmt.Errorf("undoing %s: %w", step.Name, err)
	}
	t.at(ctx, step.Name, AfterUndo)
	now := t.Now().UTC()
	rec.State, rec.EndedAt = StepReverted, &now
	if err := t.Store.Commit(ctx, t.op.ID, t.op.Lease.Fence, *rec); err != nil {
		return err
	}
	t.at(ctx, step.Name, AfterUndoCommit)
	return nil
}

func (t *task) turn(ctx context.Context, state State, cause Cause, err error) error {
	t.op.State, t.op.Problem, t.op.Detail = state, string(cause), err.Error()
	t.log.Error("operation needs a person", "cause", cause, "error", err)
	return t.Store.Turn(ctx, t.op.ID, t.op.Lease.Fence, state, string(cause), err.Error())
}

func (t *task) postpone(ctx context.Context, state State, rec *StepRecord, d time.Duration, cause Cause, err error) error {
	if e := t.Store.Advance(ctx, t.op.ID, t.op.Lease.Fence, state, *rec); e != nil {
		return e
	}
	if e := t.Store.Postpone(ctx, t.op.ID, t.op.Lease.Fence, d, string(cause), err.Error()); e != nil {
		return e
	}
	t.nudgeIn(d + time.Millisecond)
	return nil
}

// giveBack hands the lease back after the database failed us or the process is to stop, so that nobody has to wait for
// it to run out. When that fails too, the lease runs out by itself.
func (t *task) giveBack(ctx context.Context, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	t.log.Warn("giving an operation back", "error", cause)
	delay := firstDelay
	if errors.As(cause, new(*outcomeError)) {
		delay = waitDelay
	}
	if err := t.Store.Postpone(ctx, t.op.ID, t.op.Lease.Fence, delay, t.op.Problem, cause.Error()); err != nil {
		t.log.Warn("giving a lease back failed; it will run out", "error", err)
	}
	t.nudgeIn(delay + time.Millisecond)
}

// backoff doubles from firstDelay to maxDelay and scatters by a quarter, so that many operations do not come back at once.
func backoff(attempt int) time.Duration {
	d := firstDelay << min(attempt-1, 10)
	d = min(d, maxDelay)
	return d - d/8 + rand.N(d/4)
}

// guard runs one function of a plan; a panic in it is its error, so that the other operations go on.
func guard(ctx context.Context, run *Run, fn func(context.Context, *Run) error) (err error) {
	if fn == nil {
		return nil
	}
	defer recovery.Error(&err)
	return fn(ctx, run)
}

func guard2(ctx context.Context, run *Run, fn func(context.Context, *Run) (bool, error)) (there bool, err error) {
	defer recovery.Error(&err)
	return fn(ctx, run)
}
