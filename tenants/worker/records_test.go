package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/operations/operationstest"
	"chatiere/tenants/records"
	"chatiere/tenants/worker"
)

// marks is a guard that says what it is told to.
type marks struct{ err error }

func (m marks) Advance(context.Context) error { return m.err }

// queued is a store with one operation in it.
func queued(t *testing.T) (*operationstest.Store, operations.Operation) {
	t.Helper()
	store := operationstest.NewStore(time.Now)
	plan := operations.Plan{Kind: "test", Version: 1, Steps: []operations.Step{{Name: "one"}}}
	op, err := operations.NewOperation(plan, time.Now(), operations.Request{Subject: "site:s1"})
	if err != nil {
		t.Fatal(err)
	}
	if op, err = store.Insert(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	return store, op
}

func TestAClaimAdvancesTheMark(t *testing.T) {
	store, op := queued(t)
	got, err := worker.FencedStore(store, marks{}, nil).Claim(t.Context(), "w", operations.Lanes(), time.Minute)
	if err != nil || got.ID != op.ID {
		t.Errorf("got %q, %v", got.ID, err)
	}
}

func TestAClaimThatCannotAdvanceTheMarkIsRequeued(t *testing.T) {
	store, op := queued(t)
	end := func(err error) { t.Errorf("the worker ended: %v", err) }
	if _, err := worker.FencedStore(store, marks{tenants.ErrUnavailable}, end).Claim(t.Context(), "w", operations.Lanes(), time.Minute); !errors.Is(err, tenants.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if got, err := store.Operation(t.Context(), op.ID); err != nil || got.Lease.Until != nil {
		t.Errorf("its lease is %+v, %v", got.Lease, err)
	}
}

func TestRecordsThatWereExchangedEndTheWorkerBeforeItActs(t *testing.T) {
	for _, doubt := range []error{records.ErrOlder, records.ErrNewer, records.ErrForeign} {
		store, _ := queued(t)
		var ended error
		_, err := worker.FencedStore(store, marks{fmt.Errorf("%w: since Monday", doubt)}, func(err error) { ended = err }).Claim(t.Context(), "w", operations.Lanes(), time.Minute)
		if !errors.Is(err, doubt) || !errors.Is(ended, doubt) {
			t.Errorf("claiming says %v, the worker ended with %v", err, ended)
		}
	}
}
