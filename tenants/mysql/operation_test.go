//go:build integration

package mysql_test

import (
	"context"
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

var plan = operations.Plan{Kind: "site.provision", Version: 2, Steps: []operations.Step{{Name: "disk"}, {Name: "database"}}}

func wish(t *testing.T, subject, key string) operations.Operation {
	t.Helper()
	op, err := operations.NewOperation(plan, time.Now().UTC(), operations.Request{
		Subject: subject, AssociationID: "a000000001", SiteID: subject, Key: key, CreatedBy: "Zoé", Spec: map[string]string{"title": "Été"},
	})
	must(t, err)
	return op
}

func insert(t *testing.T, ctx context.Context, s *mysql.Store, subject string) operations.Operation {
	t.Helper()
	op, err := s.Insert(ctx, wish(t, subject, ""))
	must(t, err)
	return op
}

func claim(t *testing.T, ctx context.Context, s *mysql.Store) operations.Operation {
	t.Helper()
	op, err := s.Claim(ctx, "w1", operations.Lanes(), time.Minute)
	must(t, err)
	return op
}

func read(t *testing.T, ctx context.Context, s *mysql.Store, id string) operations.Operation {
	t.Helper()
	op, err := s.Operation(ctx, id)
	must(t, err)
	return op
}

func TestAnOperationComesBackAsItWentIn(t *testing.T) {
	ctx, s := store(t)
	w := wish(t, "s1", "key")
	got, err := s.Insert(ctx, w)
	must(t, err)
	if d := got.RunAfter.Sub(w.CreatedAt).Abs(); d > 5*time.Second {
		t.Errorf("due %v from its birth", d)
	}
	w.RunAfter, w.CreatedAt = got.RunAfter, w.CreatedAt.Truncate(time.Microsecond)
	if !reflect.DeepEqual(got, w) {
		t.Errorf("got %+v\nwant %+v", got, w)
	}
	_, err = s.Operation(ctx, "01")
	wants(t, "one that is not there", err, operations.ErrNotFound)
	_, err = s.Cancelled(ctx, "01")
	wants(t, "whether it is cancelled", err, operations.ErrNotFound)
}

func TestTheAskersClockDoesNotDecideWhenAnOperationIsDue(t *testing.T) {
	ctx, s := store(t)
	ahead := wish(t, "s1", "")
	ahead.CreatedAt = ahead.CreatedAt.Add(time.Hour)
	ahead.RunAfter = ahead.CreatedAt
	_, err := s.Insert(ctx, ahead)
	must(t, err)
	if op := claim(t, ctx, s); op.ID != ahead.ID {
		t.Errorf("claimed %s, want %s", op.ID, ahead.ID)
	}
	later := wish(t, "s2", "")
	later.RunAfter = later.CreatedAt.Add(time.Hour)
	_, err = s.Insert(ctx, later)
	must(t, err)
	_, err = s.Claim(ctx, "w1", operations.Lanes(), time.Minute)
	wants(t, "claiming what is due in an hour", err, operations.ErrNotFound)
}

func TestTheSameKeyIsTheSameOperation(t *testing.T) {
	ctx, s := store(t)
	var wg sync.WaitGroup
	ids := make(chan string, 10)
	for range cap(ids) {
		w := wish(t, "s1", "the key")
		wg.Go(func() {
			op, err := s.Insert(ctx, w)
			if err != nil {
				t.Error(err)
			}
			ids <- op.ID
		})
	}
	wg.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("two operations: %s and %s", first, id)
		}
	}
	op := claim(t, ctx, s)
	must(t, s.End(ctx, op.ID, op.Lease.Fence, operations.Done, nil))
	if again, err := s.Insert(ctx, wish(t, "s1", "the key")); err != nil || again.ID != first || again.State != operations.Done {
		t.Errorf("after the end: %s %s (%v), want %s done", again.ID, again.State, err, first)
	}
	if all, err := s.Operations(ctx, operations.Filter{}); err != nil || len(all) != 1 {
		t.Errorf("%d operations are there (%v)", len(all), err)
	}
}

func TestASubjectHasOneLiveOperation(t *testing.T) {
	ctx, s := store(t)
	first := insert(t, ctx, s, "s1")
	_, err := s.Insert(ctx, wish(t, "s1", ""))
	wants(t, "a second", err, operations.ErrBusy)
	err = s.Transact(ctx, func(ctx context.Context) error {
		association(t, ctx, s, "lilas")
		_, err := s.Insert(ctx, wish(t, "s1", ""))
		return err
	})
	wants(t, "a second within a business change", err, operations.ErrBusy)
	_, err = s.AssociationBySlug(ctx, "lilas")
	wants(t, "the business change", err, tenants.ErrNotFound)
	op := claim(t, ctx, s)
	must(t, s.SetState(ctx, op.ID, op.Lease.Fence, operations.Stuck, "disk_full", "12 MiB"))
	_, err = s.Insert(ctx, wish(t, "s1", ""))
	wants(t, "a second beside a stuck one", err, operations.ErrBusy)
	must(t, s.Retry(ctx, first.ID))
	op = claim(t, ctx, s)
	must(t, s.End(ctx, op.ID, op.Lease.Fence, operations.Undone, nil))
	insert(t, ctx, s, "s1")
}

func TestEndingWritesTheOutcomeInTheSameTransaction(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	x := site(t, ctx, s, a, "blog.example")
	insert(t, ctx, s, x.ID)
	op := claim(t, ctx, s)
	broken := errors.New("broken")
	x.State = tenants.StateReady
	outcome := func(result error) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := s.UpdateSite(ctx, x); err != nil {
				return err
			}
			return result
		}
	}
	if err := s.End(ctx, op.ID, op.Lease.Fence, operations.Done, outcome(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, want the outcome's error", err)
	}
	if got := read(t, ctx, s, op.ID); got.State != operations.Queued || got.EndedAt != nil || got.Lease.Until == nil {
		t.Errorf("a failed outcome left %+v", got)
	}
	if got, err := s.Site(ctx, x.ID); err != nil || got.State != tenants.StateCreating {
		t.Errorf("a failed outcome left the site %s (%v)", got.State, err)
	}
	must(t, s.End(ctx, op.ID, op.Lease.Fence, operations.Done, outcome(nil)))
	if got := read(t, ctx, s, op.ID); got.State != operations.Done || got.EndedAt == nil || got.Lease.Until != nil {
		t.Errorf("ended as %+v", got)
	}
	if got, err := s.Site(ctx, x.ID); err != nil || got.State != tenants.StateReady {
		t.Errorf("the outcome left the site %s (%v)", got.State, err)
	}
	insert(t, ctx, s, x.ID)
}

func TestCancellingIsAskedUntilItIsTooLate(t *testing.T) {
	ctx, s := store(t)
	insert(t, ctx, s, "s1")
	op := claim(t, ctx, s)
	must(t, s.Requeue(ctx, op.ID, op.Lease.Fence, time.Hour, "", ""))
	must(t, s.Cancel(ctx, op.ID))
	if c, err := s.Cancelled(ctx, op.ID); err != nil || !c {
		t.Errorf("cancelled: %v (%v)", c, err)
	}
	op = claim(t, ctx, s) // at once, not in an hour
	must(t, s.SetState(ctx, op.ID, op.Lease.Fence, operations.Undoing, "cancelled", ""))
	wants(t, "cancelling while it is undone", s.Cancel(ctx, op.ID), operations.ErrTooLate)
	must(t, s.End(ctx, op.ID, op.Lease.Fence, operations.Undone, nil))
	wants(t, "cancelling what has ended", s.Cancel(ctx, op.ID), operations.ErrTooLate)
	wants(t, "retrying what has ended", s.Retry(ctx, op.ID), operations.ErrTooLate)
	wants(t, "cancelling what is not there", s.Cancel(ctx, "01"), operations.ErrNotFound)
	if got := read(t, ctx, s, op.ID); got.Problem != "cancelled" {
		t.Errorf("why it was undone is forgotten: %q", got.Problem)
	}
}

func TestOperationsAreListedNewestFirst(t *testing.T) {
	ctx, s := store(t)
	first := insert(t, ctx, s, "s1")
	op := claim(t, ctx, s)
	must(t, s.End(ctx, op.ID, op.Lease.Fence, operations.Done, nil))
	w := wish(t, "s2", "")
	w.AssociationID = "a000000002"
	w.CreatedAt, w.RunAfter = w.CreatedAt.Add(time.Second), w.RunAfter.Add(time.Second)
	w.ID = operations.NewID(w.CreatedAt)
	second, err := s.Insert(ctx, w)
	must(t, err)
	for name, c := range map[string]struct {
		filter operations.Filter
		want   []string
	}{
		"all":               {operations.Filter{}, []string{second.ID, first.ID}},
		"one":               {operations.Filter{Limit: 1}, []string{second.ID}},
		"live":              {operations.Filter{LiveOnly: true}, []string{second.ID}},
		"of a site":         {operations.Filter{SiteID: "s1"}, []string{first.ID}},
		"of an association": {operations.Filter{AssociationIDs: []string{"a000000002"}}, []string{second.ID}},
		"of none":           {operations.Filter{AssociationIDs: []string{}}, nil},
	} {
		got, err := s.Operations(ctx, c.filter)
		var ids []string
		for _, op := range got {
			ids = append(ids, op.ID)
		}
		if err != nil || !reflect.DeepEqual(ids, c.want) {
			t.Errorf("%s: %v (%v), want %v", name, ids, err, c.want)
		}
	}
	if last, err := s.LastOperation(ctx, "s2"); err != nil || last.ID != second.ID {
		t.Errorf("the last of s2 is %s (%v)", last.ID, err)
	}
	_, err = s.LastOperation(ctx, "s3")
	wants(t, "the last of a site without any", err, operations.ErrNotFound)
}

// holding returns an operation that holds the site's data shared or exclusively, and nothing else.
func holding(t *testing.T, siteID string, shared bool) operations.Operation {
	t.Helper()
	op := wish(t, siteID, "")
	op.Holds = []operations.Hold{{Subject: "data:" + siteID, Shared: shared}}
	return op
}

func TestASharedHoldExcludesExclusiveOnesUntilItsOperationEnds(t *testing.T) {
	ctx, s, d := storeOn(t)
	panel := as(t, d.Config(d.Panel))
	insert(t, ctx, s, "s1") // holds the site, not its data
	_, err := panel.Insert(ctx, holding(t, "s1", true))
	must(t, err)
	_, err = s.Insert(ctx, holding(t, "s1", true))
	must(t, err)
	refuse := func(when string) {
		t.Helper()
		_, err = panel.Insert(ctx, holding(t, "s1", false))
		wants(t, when, err, operations.ErrBusy)
	}
	refuse("an exclusive hold beside two shared ones")
	for range 3 { // the site's own operation is first
		op := claim(t, ctx, s)
		refuse("an exclusive hold beside shared ones that run")
		must(t, s.End(ctx, op.ID, op.Lease.Fence, operations.Done, nil))
	}
	exclusive, err := panel.Insert(ctx, holding(t, "s1", false))
	must(t, err)
	_, err = s.Insert(ctx, holding(t, "s1", true))
	wants(t, "a shared hold beside an exclusive one", err, operations.ErrBusy)
	if live, err := s.Operations(ctx, operations.Filter{LiveOnly: true}); err != nil || len(live) != 1 || live[0].ID != exclusive.ID {
		t.Errorf("live are %d operations (%v), want the exclusive one", len(live), err)
	}
}

func TestOfSharedAndExclusiveHoldsAskedForTogetherOneSortWins(t *testing.T) {
	ctx, s := store(t)
	const rounds, askers = 20, 6
	for round := range rounds {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var shared, exclusive int
		for i := range askers {
			op := holding(t, fmt.Sprintf("s%d", round), i%2 == 0)
			wg.Go(func() {
				_, err := s.Insert(ctx, op)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, operations.ErrBusy):
				case err != nil:
					t.Error(err)
				case op.Holds[0].Shared:
					shared++
				default:
					exclusive++
				}
			})
		}
		wg.Wait()
		if exclusive > 1 || exclusive == 1 && shared > 0 || exclusive+shared == 0 {
			t.Errorf("round %d: %d exclusive and %d shared holds are live together", round, exclusive, shared)
		}
	}
}
