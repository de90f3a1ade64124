package operations_test

import (
	"encoding/json"
	"slices"
	"testing"

	"chatiere/tenants/operations"
)

func TestPlansAreListedByKindAndVersion(t *testing.T) {
	step := []operations.Step{{Name: "one"}}
	plan := func(kind string, version int) operations.Plan {
		return operations.Plan{Kind: kind, Version: version, Steps: step}
	}
	r := operations.NewRegistry(plan("b", 1), plan("a", 2), plan("b", 2), plan("a", 1))
	var got []string
	for _, p := range r.All() {
		got = append(got, p.Kind+map[int]string{1: "1", 2: "2"}[p.Version])
	}
	if want := []string{"a1", "a2", "b1", "b2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if p, err := r.Latest("a"); err != nil || p.Version != 2 {
		t.Errorf("the latest is %d, %v", p.Version, err)
	}
}

func TestAnOperationTellsHowFarItIsAndWhetherItCanGoBack(t *testing.T) {
	plan := operations.Plan{Kind: "k", Version: 1, Steps: []operations.Step{{Name: "a"}, {Name: "b", Pivot: true}, {Name: "c"}}}
	for states, want := range map[[3]operations.StepState]struct {
		done int
		past bool
	}{
		{"pending", "pending", "pending"}: {0, false},
		{"done", "doing", "pending"}:      {1, false},
		{"done", "done", "pending"}:       {2, true},
		{"done", "done", "done"}:          {3, true},
		{"undone", "undone", "pending"}:   {0, false},
	} {
		var op operations.Operation
		for i, s := range states {
			op.Steps = append(op.Steps, operations.StepRecord{Seq: i, State: s})
		}
		if done, total := op.Progress(); done != want.done || total != 3 {
			t.Errorf("%v: %d of %d are done", states, done, total)
		}
		if past := plan.PastPivot(op); past != want.past {
			t.Errorf("%v: past the pivot %v", states, past)
		}
	}
	if plan.PastPivot(operations.Operation{}) {
		t.Error("one without steps is past its pivot")
	}
}

func TestWhatAStepCannotReadIsAnError(t *testing.T) {
	var into struct{ A int }
	run := operations.Run{Op: operations.Operation{Spec: json.RawMessage(`{"A":7}`)}}
	if err := run.Spec(&into); err != nil || into.A != 7 {
		t.Errorf("got %+v, %v", into, err)
	}
	run.Op.Spec = json.RawMessage(`{"A":"x"}`)
	if err := run.Spec(&into); err == nil {
		t.Error("a spec of another kind is no error")
	}
	if found, err := run.Result("nobody", &into); err != nil || found {
		t.Errorf("a result that nobody kept: %v, %v", found, err)
	}
	if err := run.SetResult(func() {}); err == nil {
		t.Error("what cannot be encoded is no error")
	}
	if err := run.SetResult(7); err != nil {
		t.Error(err)
	}
}
