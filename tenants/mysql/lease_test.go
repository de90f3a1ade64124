//go:build integration

package mysql_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/mysql"
	"chatiere/tenants/operations"
)

func TestTwentyClaimersClaimEachOperationOnce(t *testing.T) {
	ctx, s, d := storeOn(t)
	const claimers, work = 20, 60
	for i := range work {
		insert(t, ctx, s, fmt.Sprintf("s%d", i))
	}
	stores := []*mysql.Store{s, as(t, d.Config(d.Worker)), as(t, d.Config(d.Worker))} // as three processes
	var wg sync.WaitGroup
	claims := make(chan operations.Operation, work*2)
	for i := range claimers {
		wg.Go(func() {
			for {
				op, err := stores[i%len(stores)].Claim(ctx, fmt.Sprintf("w%d", i), operations.Lanes(), time.Minute)
				if errors.Is(err, operations.ErrNotFound) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				claims <- op
			}
		})
	}
	wg.Wait()
	close(claims)
	seen := map[string]bool{}
	for op := range claims {
		if seen[op.ID] || op.Lease.Fence != 1 || len(op.Steps) != 2 {
			t.Errorf("%s was claimed twice, or comes without steps: %+v", op.ID, op)
		}
		seen[op.ID] = true
	}
	if len(seen) != work {
		t.Errorf("%d of %d were claimed", len(seen), work)
	}
}

func TestTheOldestIsClaimedFirst(t *testing.T) {
	ctx, s := store(t)
	first, second := insert(t, ctx, s, "s1"), insert(t, ctx, s, "s2")
	if a, b := claim(t, ctx, s), claim(t, ctx, s); a.ID != first.ID || b.ID != second.ID {
		t.Errorf("claimed %s, %s; want %s, %s", a.ID, b.ID, first.ID, second.ID)
	}
}

func TestOnlyTheLanesThatAreAskedForAreClaimed(t *testing.T) {
	ctx, s := store(t)
	w := wish(t, "s1", "")
	w.Lane = operations.Bulk
	bulk, err := s.Insert(ctx, w)
	must(t, err)
	waiting := insert(t, ctx, s, "s2")
	for _, c := range []struct {
		lanes []operations.Lane
		want  string
	}{
		{[]operations.Lane{operations.Waiting, operations.Repair}, waiting.ID},
		{[]operations.Lane{operations.Waiting, operations.Repair}, ""},
		{[]operations.Lane{operations.Bulk}, bulk.ID},
	} {
		op, err := s.Claim(ctx, "w1", c.lanes, time.Minute)
		if c.want == "" && errors.Is(err, operations.ErrNotFound) {
			continue
		}
		if err != nil || op.ID != c.want {
			t.Errorf("claimed %q of %v (%v), want %q", op.ID, c.lanes, err, c.want)
		}
	}
}

func TestALeaseThatRanOutCanBeClaimedAndItsHolderIsRefused(t *testing.T) {
	ctx, s := store(t)
	insert(t, ctx, s, "s1")
	old, err := s.Claim(ctx, "w1", operations.Lanes(), 20*time.Millisecond)
	must(t, err)
	var now operations.Operation
	for now, err = s.Claim(ctx, "w2", operations.Lanes(), time.Minute); errors.Is(err, operations.ErrNotFound); now, err = s.Claim(ctx, "w2", operations.Lanes(), time.Minute) {
		time.Sleep(time.Millisecond)
	}
	must(t, err)
	if now.Lease.Fence != old.Lease.Fence+1 || now.Lease.Owner != "w2" {
		t.Fatalf("the second lease is %+v, the first was %+v", now.Lease, old.Lease)
	}
	refused(t, ctx, s, old.ID, old.Lease.Fence)
	must(t, s.Renew(ctx, now.ID, now.Lease.Fence, time.Minute))
}

// refused tries every write with a fence and demands ErrFenced and no change.
func refused(t *testing.T, ctx context.Context, s *mysql.Store, id string, fence int64) {
	t.Helper()
	before := read(t, ctx, s, id)
	step := operations.StepRecord{Seq: 0, Name: "disk", State: operations.StepDone, Attempt: 9, Result: json.RawMessage(`"x"`), Error: "x"}
	ran := false
	for name, err := range map[string]error{
		"Renew":    s.Renew(ctx, id, fence, time.Hour),
		"Advance":  s.Advance(ctx, id, fence, operations.Undoing, step),
		"Commit":   s.Commit(ctx, id, fence, step),
		"Postpone": s.Requeue(ctx, id, fence, time.Hour, "x", "x"),
		"Turn":     s.SetState(ctx, id, fence, operations.Stuck, "x", "x"),
		"End":      s.End(ctx, id, fence, operations.Done, func(context.Context) error { ran = true; return nil }),
	} {
		wants(t, name+" with an old fence", err, operations.ErrFenced)
	}
	if after := read(t, ctx, s, id); !reflect.DeepEqual(after, before) || ran {
		t.Errorf("refused writes left %+v\nwas %+v\noutcome ran: %v", after, before, ran)
	}
}

func TestVoidingTakesEveryLeaseAndItsFence(t *testing.T) {
	ctx, s := store(t)
	insert(t, ctx, s, "s1")
	insert(t, ctx, s, "s2")
	old := claim(t, ctx, s)
	if n, err := s.RevokeLeases(ctx); err != nil || n != 1 {
		t.Errorf("voided %d (%v), want 1", n, err)
	}
	refused(t, ctx, s, old.ID, old.Lease.Fence)
	if again := claim(t, ctx, s); again.ID != old.ID || again.Lease.Fence <= old.Lease.Fence {
		t.Errorf("claimed %s under fence %d, want %s over %d", again.ID, again.Lease.Fence, old.ID, old.Lease.Fence)
	}
}

func TestStepsAreWrittenAsTheyGo(t *testing.T) {
	ctx, s := store(t)
	insert(t, ctx, s, "s1")
	op := claim(t, ctx, s)
	id, fence := op.ID, op.Lease.Fence
	step := operations.StepRecord{Seq: 0, Name: "disk", State: operations.StepDoing, Attempt: 2, Error: "once more"}
	must(t, s.Advance(ctx, id, fence, operations.Running, step))
	got := read(t, ctx, s, id)
	if got.State != operations.Running || got.Attempt != 2 || got.StartedAt == nil || got.Steps[0].State != operations.StepDoing ||
		got.Steps[0].Error != "once more" || got.Steps[0].StartedAt == nil || got.Steps[1].State != operations.StepPending {
		t.Errorf("after advancing: %+v", got)
	}
	must(t, s.Commit(ctx, id, fence, operations.StepRecord{Seq: 0, State: operations.StepDone, Result: json.RawMessage(`{"id":"é"}`)}))
	got = read(t, ctx, s, id)
	if got.Steps[0].State != operations.StepDone || string(got.Steps[0].Result) != `{"id":"é"}` || got.Steps[0].EndedAt == nil || got.Steps[0].Error != "" {
		t.Errorf("after committing: %+v", got.Steps[0])
	}
	must(t, s.Advance(ctx, id, fence, operations.Undoing, operations.StepRecord{Seq: 0, State: operations.StepUndoing}))
	must(t, s.Commit(ctx, id, fence, operations.StepRecord{Seq: 0, State: operations.StepUndone}))
	if got = read(t, ctx, s, id); got.Steps[0].State != operations.StepUndone || string(got.Steps[0].Result) != `{"id":"é"}` {
		t.Errorf("after undoing: %+v", got.Steps[0])
	}
	wants(t, "a step that is not there", s.Commit(ctx, id, fence, operations.StepRecord{Seq: 7}), tenants.ErrNotFound)
}

func TestProgressIsOfARunningStepAndOfTheHolderAlone(t *testing.T) {
	ctx, s := store(t)
	insert(t, ctx, s, "s1")
	op := claim(t, ctx, s)
	id, fence := op.ID, op.Lease.Fence
	must(t, s.Advance(ctx, id, fence, operations.Running, operations.StepRecord{Seq: 0, State: operations.StepDoing}))
	want := operations.Progress{Done: 1 << 40, Total: 1 << 41, Unit: operations.UnitBytes}
	for range 2 { // the same again is no lost lease
		must(t, s.SetProgress(ctx, id, fence, 0, want))
	}
	if got := read(t, ctx, s, id).Steps; got[0].Progress == nil || *got[0].Progress != want || got[1].Progress != nil {
		t.Errorf("got %+v, want %+v of the first step", got, want)
	}
	wants(t, "with an old fence", s.SetProgress(ctx, id, fence-1, 0, want), operations.ErrFenced)
	must(t, s.Commit(ctx, id, fence, operations.StepRecord{Seq: 0, State: operations.StepDone}))
	if got := read(t, ctx, s, id).Steps[0]; got.Progress != nil {
		t.Errorf("a step that is done still tells %+v", got.Progress)
	}
}

func TestAPostponedOperationWaitsAndHasNoHolder(t *testing.T) {
	ctx, s := store(t)
	insert(t, ctx, s, "s1")
	op := claim(t, ctx, s)
	must(t, s.Requeue(ctx, op.ID, op.Lease.Fence, time.Hour, "engine", "no answer"))
	_, err := s.Claim(ctx, "w2", operations.Lanes(), time.Minute)
	wants(t, "claiming it during the pause", err, operations.ErrNotFound)
	refused(t, ctx, s, op.ID, op.Lease.Fence)
	if got := read(t, ctx, s, op.ID); got.Problem != "engine" || got.Detail != "no answer" || got.Lease.Until != nil {
		t.Errorf("got %+v", got)
	}
	must(t, s.Retry(ctx, op.ID))
	claim(t, ctx, s)
}

func TestAStuckOperationWaitsForAPersonAndGoesOnInItsDirection(t *testing.T) {
	for _, direction := range []operations.State{operations.Running, operations.Undoing} {
		t.Run(string(direction), func(t *testing.T) {
			ctx, s, d := storeOn(t)
			panel := as(t, d.Config(d.Panel))
			insert(t, ctx, s, "s1")
			op := claim(t, ctx, s)
			state := map[operations.State]operations.StepState{operations.Running: operations.StepDoing, operations.Undoing: operations.StepUndoing}
			must(t, s.Advance(ctx, op.ID, op.Lease.Fence, direction, operations.StepRecord{Seq: 0, State: state[direction], Attempt: 9}))
			must(t, s.SetState(ctx, op.ID, op.Lease.Fence, operations.Stuck, "disk_full", "12 MiB are missing"))
			_, err := s.Claim(ctx, "w2", operations.Lanes(), time.Minute)
			wants(t, "claiming a stuck one", err, operations.ErrNotFound)
			refused(t, ctx, s, op.ID, op.Lease.Fence)
			must(t, panel.Retry(ctx, op.ID))
			got := claim(t, ctx, s)
			if got.State != direction || got.Problem != "" || got.Attempt != 0 || got.Steps[0].Attempt != 0 {
				t.Errorf("goes on as %+v", got)
			}
		})
	}
}
