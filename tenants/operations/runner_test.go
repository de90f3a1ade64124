package operations_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants/operations"
	"chatiere/tenants/operations/operationstest"
)

// world is what the test's steps act on: a set of things that exist.
type world struct {
	mu     sync.Mutex
	things map[string]bool
	fail   map[string]error // by step name; consulted before each Do
}

func (w *world) set(name string, there bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if there {
		w.things[name] = true
	} else {
		delete(w.things, name)
	}
}

func (w *world) has(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.things[name]
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.things)
}

func (w *world) failure(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fail[name]
}

func (w *world) step(name string, pivot bool) operations.Step {
	return operations.Step{
		Name: name, Pivot: pivot,
		Observe: func(context.Context, *operations.Run) (bool, error) { return w.has(name), nil },
		Do: func(_ context.Context, r *operations.Run) error {
			if err := w.failure(name); err != nil {
				return err
			}
			w.set(name, true)
			return r.SetResult(name)
		},
		Undo: func(context.Context, *operations.Run) error { w.set(name, false); return nil },
	}
}

type fixture struct {
	*world
	store    *operationstest.Store
	registry *operations.Registry
	ended    chan operations.Operation
}

func setUp(t *testing.T, pivotAt int) *fixture {
	t.Helper()
	w := &world{things: map[string]bool{}, fail: map[string]error{}}
	var steps []operations.Step
	for i, name := range []string{"one", "two", "three"} {
		steps = append(steps, w.step(name, i == pivotAt))
	}
	return &fixture{
		world: w, store: operationstest.NewStore(time.Now),
		registry: operations.NewRegistry(operations.Plan{Kind: "test", Version: 1, Steps: steps}),
		ended:    make(chan operations.Operation, 100),
	}
}

func (f *fixture) runner() *operations.Runner {
	return &operations.Runner{
		Store: f.store, Registry: f.registry, Owner: "test", Idle: 5 * time.Millisecond,
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		Ended: func(op operations.Operation) { f.ended <- op },
	}
}

func (f *fixture) insert(t *testing.T) operations.Operation {
	t.Helper()
	plan, err := f.registry.Latest("test")
	if err != nil {
		t.Fatal(err)
	}
	op, err := operations.NewOperation(plan, time.Now(), operations.Request{Subject: "thing:1"})
	if err != nil {
		t.Fatal(err)
	}
	if op, err = f.store.Insert(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	return op
}

// start runs a runner until the test ends or stop is called.
func start(t *testing.T, r *operations.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// until waits for the operation to satisfy want.
func (f *fixture) until(t *testing.T, id, what string, want func(operations.Operation) bool) operations.Operation {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		op, err := f.store.Operation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if want(op) {
			return op
		}
		time.Sleep(time.Millisecond) // polls a condition, with a deadline
	}
	op, _ := f.store.Operation(t.Context(), id)
	t.Fatalf("operation never became %s: %+v", what, op)
	return op
}

func state(s operations.State) func(operations.Operation) bool {
	return func(op operations.Operation) bool { return op.State == s }
}

func TestRunnerCarriesAnOperationToItsEnd(t *testing.T) {
	f := setUp(t, -1)
	op := f.insert(t)
	start(t, f.runner())
	got := f.until(t, op.ID, "done", state(operations.Done))
	if f.count() != 3 {
		t.Errorf("%d things exist, want 3", f.count())
	}
	for _, s := range got.Steps {
		if s.State != operations.StepDone || s.EndedAt == nil || string(s.Result) != fmt.Sprintf("%q", s.Name) {
			t.Errorf("step %+v is not recorded as done with its result", s)
		}
	}
}

func TestPermanentFailureBeforeThePivotUndoesEverything(t *testing.T) {
	f := setUp(t, 2)
	f.fail["two"] = operations.Permanent(operations.CauseTemplate, errors.New("no"))
	op := f.insert(t)
	start(t, f.runner())
	got := f.until(t, op.ID, "undone", state(operations.Undone))
	if f.count() != 0 {
		t.Errorf("%v is left over", f.things)
	}
	if got.Problem != string(operations.CauseTemplate) || got.Detail == "" {
		t.Errorf("problem %q, detail %q: want the cause and its words", got.Problem, got.Detail)
	}
	if got.Steps[2].State != operations.StepPending {
		t.Errorf("a step never begun is %s", got.Steps[2].State)
	}
}

func TestPermanentFailureAfterThePivotNeedsAPersonAndKeepsWhatIsDone(t *testing.T) {
	f := setUp(t, 0)
	f.fail["two"] = operations.Permanent(operations.CauseContradiction, errors.New("no"))
	op := f.insert(t)
	start(t, f.runner())
	f.until(t, op.ID, "stuck", state(operations.Stuck))
	if !f.has("one") {
		t.Error("the step at the pivot was undone")
	}
	f.mu.Lock()
	delete(f.fail, "two")
	f.mu.Unlock()
	if err := f.store.Retry(t.Context(), op.ID); err != nil {
		t.Fatal(err)
	}
	f.until(t, op.ID, "done after a retry", state(operations.Done))
}

func TestTransientFailureIsRetriedUntilItPasses(t *testing.T) {
	f := setUp(t, -1)
	f.fail["three"] = errors.New("connection reset")
	op := f.insert(t)
	start(t, f.runner())
	f.until(t, op.ID, "tried twice", func(op operations.Operation) bool { return op.Steps[2].Attempt >= 2 })
	f.mu.Lock()
	delete(f.fail, "three")
	f.mu.Unlock()
	f.until(t, op.ID, "done", state(operations.Done))
}

func TestWaitingCauseNeverUsesTriesUpAndCanBeCancelled(t *testing.T) {
	f := setUp(t, -1)
	f.fail["two"] = operations.Waits(operations.CauseDiskFull, errors.New("12 MiB are missing"))
	op := f.insert(t)
	start(t, f.runner())
	f.until(t, op.ID, "waiting for room", func(op operations.Operation) bool {
		return op.State == operations.Running && op.Problem == string(operations.CauseDiskFull) && op.Lease.Until == nil
	})
	if err := f.store.Cancel(t.Context(), op.ID); err != nil {
		t.Fatal(err)
	}
	f.until(t, op.ID, "undone", state(operations.Undone))
	if f.count() != 0 {
		t.Errorf("%v is left over", f.things)
	}
}

func TestAPanicInAPlanHoldsOrUndoesItsOperationAndNoOther(t *testing.T) {
	boom := func(context.Context, *operations.Run) error { panic("boom") }
	refuse := func(context.Context, *operations.Run) error {
		return operations.Permanent(operations.CauseTemplate, errors.New("no"))
	}
	for name, c := range map[string]struct {
		change func(p *operations.Plan)
		want   operations.State
	}{
		"a step before the pivot": {func(p *operations.Plan) { p.Steps[0].Do = boom }, operations.Undone},
		"a step's own look": {func(p *operations.Plan) {
			p.Steps[0].Observe = func(context.Context, *operations.Run) (bool, error) { panic("boom") }
		}, operations.Undone},
		"a step after the pivot":     {func(p *operations.Plan) { p.Steps[2].Do = boom }, operations.Stuck},
		"what undoes a step":         {func(p *operations.Plan) { p.Steps[0].Undo, p.Steps[1].Do = boom, refuse }, operations.Stuck},
		"what ends the operation":    {func(p *operations.Plan) { p.Finish = boom }, operations.Stuck},
		"what ends it when undone":   {func(p *operations.Plan) { p.Revert, p.Steps[1].Do = boom, refuse }, operations.Stuck},
		"what ends it says for ever": {func(p *operations.Plan) { p.Finish = refuse }, operations.Stuck},
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t, 1)
			sound, _ := f.registry.Latest("test")
			broken := sound
			broken.Kind, broken.Steps = "broken", slices.Clone(sound.Steps)
			c.change(&broken)
			f.registry = operations.NewRegistry(sound, broken)
			op, err := operations.NewOperation(broken, time.Now(), operations.Request{Subject: "thing:2"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.store.Insert(t.Context(), op); err != nil {
				t.Fatal(err)
			}
			start(t, f.runner())
			got := f.until(t, op.ID, string(c.want), state(c.want))
			if name != "what ends it says for ever" && c.want == operations.Stuck && got.Problem != string(operations.CauseProgram) {
				t.Errorf("held for %q: %s", got.Problem, got.Detail)
			}
			f.until(t, f.insert(t).ID, "done", state(operations.Done))
		})
	}
}

func TestAnOutcomeThatFailsIsTriedAgainAfterAPauseUntilItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, -1)
		plan, _ := f.registry.Latest("test")
		var tries []time.Time
		plan.Finish = func(context.Context, *operations.Run) error {
			if tries = append(tries, time.Now()); len(tries) < 3 {
				return errors.New("not yet")
			}
			return nil
		}
		f.registry = operations.NewRegistry(plan)
		op := f.insert(t)
		stop := start(t, f.runner())
		f.until(t, op.ID, "done", state(operations.Done))
		stop()
		if len(tries) != 3 || tries[1].Sub(tries[0]) < 5*time.Second || tries[2].Sub(tries[1]) < 5*time.Second {
			t.Errorf("tried at %v: a failing outcome must not be tried in a loop", tries)
		}
	})
}

func TestFencedRunnerStopsWithoutWriting(t *testing.T) {
	f := setUp(t, -1)
	op := f.insert(t)
	held, release := make(chan struct{}), make(chan struct{})
	r := f.runner()
	r.AtPoint = func(_ context.Context, _ operations.Operation, step string, p operations.Point) {
		if step == "two" && p == operations.AfterDo {
			close(held)
			<-release
		}
	}
	stop := start(t, r)
	<-held
	if _, err := f.store.RevokeLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, err := f.store.Claim(t.Context(), "successor", operations.Lanes(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	stop()
	got, _ := f.store.Operation(t.Context(), op.ID)
	if got.Steps[1].State != operations.StepDoing || got.Lease.Owner != "successor" || got.Lease.Fence != next.Lease.Fence {
		t.Errorf("the fenced runner wrote: %+v", got)
	}
}

func TestStoppingGivesTheLeaseBack(t *testing.T) {
	f := setUp(t, -1)
	op := f.insert(t)
	r := f.runner()
	reached := make(chan struct{})
	r.AtPoint = func(ctx context.Context, _ operations.Operation, step string, p operations.Point) {
		if step == "two" && p == operations.BeforeDo {
			close(reached)
			<-ctx.Done()
		}
	}
	f.fail["two"] = context.Canceled
	stop := start(t, r)
	<-reached
	stop()
	got, _ := f.store.Operation(t.Context(), op.ID)
	if got.Lease.Until != nil || got.State.Ended() {
		t.Errorf("after stopping: %+v; want a live operation without a lease", got)
	}
}

func TestUnknownPlanVersionNeedsAPerson(t *testing.T) {
	f := setUp(t, -1)
	op := f.insert(t)
	f.registry = operations.NewRegistry(operations.Plan{Kind: "test", Version: 2, Steps: []operations.Step{f.step("one", false)}})
	start(t, f.runner())
	got := f.until(t, op.ID, "stuck", state(operations.Stuck))
	if got.Problem != string(operations.CauseUnknownPlan) {
		t.Errorf("problem %q", got.Problem)
	}
}

// Kills are played by a runner that never returns from a point; its successor voids the leases and goes on.
func TestEveryPointSurvivesAKill(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		for _, step := range []string{"one", "two", "three"} {
			for _, point := range operations.Points() {
				t.Run(fmt.Sprintf("%s/%s/cancel=%v", step, point, cancel), func(t *testing.T) {
					killAt(t, step, point, cancel)
				})
			}
		}
	}
}

func killAt(t *testing.T, step string, point operations.Point, cancel bool) {
	f := setUp(t, -1)
	if cancel {
		f.fail["three"] = operations.Permanent(operations.CauseTemplate, errors.New("no"))
	}
	op := f.insert(t)
	dead, finished := make(chan struct{}), make(chan struct{})
	victim := f.runner()
	victim.Slots = operations.EachLane(1)
	victim.AtPoint = func(_ context.Context, _ operations.Operation, s string, p operations.Point) {
		if s == step && p == point {
			close(dead)
			select {} // as dead as a killed process: it never writes again
		}
	}
	victim.Ended = func(operations.Operation) { close(finished) }
	go victim.Run(t.Context())
	select {
	case <-dead:
	case <-finished: // this point does not lie on this operation's way
	}
	if _, err := f.store.RevokeLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, f.runner())
	got := f.until(t, op.ID, "ended", func(op operations.Operation) bool { return op.State.Ended() })
	want, things := operations.Done, 3
	if cancel {
		want, things = operations.Undone, 0
	}
	if got.State != want || f.count() != things {
		t.Errorf("state %s with %d things, want %s with %d", got.State, f.count(), want, things)
	}
}

// counting counts how often its slots ask for work.
type counting struct {
	operations.Store
	mu     sync.Mutex
	claims int
}

func (c *counting) Claim(context.Context, string, []operations.Lane, time.Duration) (operations.Operation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claims++
	return operations.Operation{}, operations.ErrNotFound
}

func TestANudgedRunnerAsksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		ctx, stop := context.WithCancel(t.Context())
		r := &operations.Runner{Store: c, Log: slog.New(slog.DiscardHandler)}
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		time.Sleep(3 * time.Second)
		synctest.Wait() // for the race detector as well: sleeping orders nothing
		before := c.claims
		r.Nudge()
		synctest.Wait()
		if c.claims != before+1 {
			t.Errorf("asked %d times after a nudge", c.claims-before)
		}
		stop()
		<-done
	})
}

func TestAnIdleRunnerAsksOnceForAllItsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		ctx, stop := context.WithCancel(t.Context())
		r := &operations.Runner{Store: c, Slots: operations.EachLane(32), Log: slog.New(slog.DiscardHandler)}
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		time.Sleep(10*time.Minute + time.Second)
		stop()
		<-done
		if most := 1 + 60; c.claims > most { // once at the start
			t.Errorf("asked %d times in ten minutes, want at most %d", c.claims, most)
		}
	})
}
