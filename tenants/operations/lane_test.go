package operations_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"chatiere/tenants/operations"
)

// insertIn adds an operation of the test's plan in a lane, on a subject of its own.
func (f *fixture) insertIn(t *testing.T, lane operations.Lane, n int) operations.Operation {
	t.Helper()
	plan, err := f.registry.Latest("test")
	if err != nil {
		t.Fatal(err)
	}
	plan.Lane = lane
	op, err := operations.NewOperation(plan, time.Now(), operations.Request{Subject: fmt.Sprintf("%s:%d", lane, n)})
	if err != nil {
		t.Fatal(err)
	}
	if op, err = f.store.Insert(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	return op
}

func TestAFullLaneLeavesTheOthersTheirSlots(t *testing.T) {
	f := setUp(t, -1)
	const bulk = 3
	var queued []operations.Operation
	for i := range bulk {
		queued = append(queued, f.insertIn(t, operations.Bulk, i))
	}
	waited, repaired := f.insertIn(t, operations.Waiting, 0), f.insertIn(t, operations.Repair, 0)
	r := f.runner()
	r.Slots = map[operations.Lane]int{operations.Waiting: 1, operations.Repair: 1, operations.Bulk: 2}
	release := make(chan struct{})
	r.AtPoint = func(ctx context.Context, op operations.Operation, _ string, p operations.Point) {
		if op.Lane == operations.Bulk && p == operations.BeforeObserve {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
	}
	start(t, r)
	f.until(t, waited.ID, "done", state(operations.Done))
	f.until(t, repaired.ID, "done", state(operations.Done))
	leased := 0
	for _, op := range queued {
		if got, _ := f.store.Operation(t.Context(), op.ID); got.Lease.Until != nil {
			leased++
		}
	}
	if leased != 2 {
		t.Errorf("%d bulk operations run, the lane has 2 slots", leased)
	}
	close(release)
	for _, op := range queued {
		f.until(t, op.ID, "done", state(operations.Done))
	}
}

func TestAnOperationIsOfItsPlansLane(t *testing.T) {
	for declared, want := range map[operations.Lane]operations.Lane{"": operations.Waiting, operations.Bulk: operations.Bulk} {
		plan := operations.Plan{Kind: "test", Lane: declared, Steps: []operations.Step{{Name: "one"}}}
		op, err := operations.NewOperation(plan, time.Now(), operations.Request{Subject: "thing:1"})
		if err != nil || op.Lane != want {
			t.Errorf("a plan of lane %q makes operations of %q (%v), want %q", declared, op.Lane, err, want)
		}
	}
}
