package operations_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants/operations"
)

// statements counts the progress and the looks for a cancellation that reach the store.
type statements struct {
	operations.Store
	progress, looks atomic.Int64
}

func (s *statements) SetProgress(ctx context.Context, id string, fence int64, seq int, p operations.Progress) error {
	s.progress.Add(1)
	return s.Store.SetProgress(ctx, id, fence, seq, p)
}

func (s *statements) Cancelled(ctx context.Context, id string) (bool, error) {
	s.looks.Add(1)
	return s.Store.Cancelled(ctx, id)
}

// during runs an operation whose second step is do, and meanwhile calls meanwhile once the step runs.
func during(t *testing.T, change func(*operations.Plan), do func(context.Context, *operations.Run) error,
	meanwhile func(f *fixture, id string)) (*fixture, *statements, operations.Operation) {
	t.Helper()
	f := setUp(t, -1)
	plan, _ := f.registry.Latest("test")
	begun := make(chan struct{})
	var first atomic.Bool
	plan.Steps[1].Do = func(ctx context.Context, r *operations.Run) error {
		if first.CompareAndSwap(false, true) {
			close(begun)
		}
		return do(ctx, r)
	}
	change(&plan)
	f.registry = operations.NewRegistry(plan)
	op := f.insert(t)
	r := f.runner()
	s := &statements{Store: f.store}
	r.Store, r.Idle = s, time.Hour
	stop := start(t, r)
	<-begun
	meanwhile(f, op.ID)
	f.until(t, op.ID, "ended", func(op operations.Operation) bool { return op.State.Ended() })
	stop()
	got, _ := f.store.Operation(t.Context(), op.ID)
	return f, s, got
}

func TestProgressIsStoredOnceASecondAndOnlyWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		copying := func(_ context.Context, r *operations.Run) error {
			for i := range int64(5000) { // five seconds of frequent calls, then five in which nothing moves
				r.Progress(i+1, 5000, operations.UnitBytes)
				time.Sleep(time.Millisecond)
			}
			time.Sleep(5500 * time.Millisecond)
			return nil
		}
		var seen []operations.Progress
		_, s, got := during(t, func(*operations.Plan) {}, copying, func(f *fixture, id string) {
			for range 2 {
				time.Sleep(2500 * time.Millisecond)
				op, _ := f.store.Operation(t.Context(), id)
				if p := op.Steps[1].Progress; p != nil {
					seen = append(seen, *p)
				}
			}
		})
		if n := s.progress.Load(); n < 5 || n > 6 {
			t.Errorf("progress was stored %d times in ten seconds, of which it moved for five", n)
		}
		if len(seen) != 2 || seen[0].Done < 1900 || seen[0].Done > 2600 || seen[1].Done <= seen[0].Done || seen[0].Total != 5000 || seen[0].Unit != "bytes" {
			t.Errorf("people saw %+v", seen)
		}
		if got.State != operations.Done || got.Steps[1].Progress != nil {
			t.Errorf("after the step its progress is %+v", got.Steps[1].Progress)
		}
		if n := s.looks.Load(); n != 3 {
			t.Errorf("%d looks for a cancellation, want one before each of three steps: this one cannot be cancelled", n)
		}
	})
}

func TestACancellableStepIsCancelledWithinSeconds(t *testing.T) {
	for name, c := range map[string]struct {
		cancellable bool
		pivot       int
		err         error // of the step, when its context ends
		within      time.Duration
		want        operations.State
	}{
		"a cancellable step":               {true, 1, context.Canceled, 3 * time.Second, operations.Undone},
		"one with an error of its own":     {true, -1, errors.New("torn"), 3 * time.Second, operations.Undone},
		"a step that is not":               {false, -1, nil, time.Hour, operations.Undone},
		"a step that lies after the pivot": {true, 0, nil, time.Hour, operations.Done},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran time.Duration
				work := func(ctx context.Context, _ *operations.Run) error {
					begun := time.Now()
					defer func() { ran = time.Since(begun) }()
					select {
					case <-ctx.Done():
						return fmt.Errorf("copying: %w", c.err)
					case <-time.After(15 * time.Second):
						return nil
					}
				}
				declare := func(p *operations.Plan) {
					p.Steps[1].Cancellable = c.cancellable
					if c.pivot >= 0 {
						p.Steps[c.pivot].Pivot = true
					}
				}
				f, _, got := during(t, declare, work, func(f *fixture, id string) {
					if err := f.store.Cancel(t.Context(), id); err != nil {
						t.Error(err)
					}
				})
				if got.State != c.want || ran > c.within {
					t.Errorf("the operation is %s and its step ran for %v, want %s within %v", got.State, ran, c.want, c.within)
				}
				if c.want == operations.Undone && (got.Problem != string(operations.CauseCancelled) || f.count() != 0) {
					t.Errorf("undone because of %q, %d things are left", got.Problem, f.count())
				}
			})
		})
	}
}
