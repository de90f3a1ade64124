package operations_test

import (
	"errors"
	"testing"
	"time"

	"chatiere/tenants/operations"
	"chatiere/tenants/operations/operationstest"
)

func TestAnExclusiveHoldGoesWithNoOtherAndSharedOnesGoTogether(t *testing.T) {
	const data, repository = "data:s1", "repository:a1"
	shared, exclusive := operations.Hold{Subject: data, Shared: true}, operations.Hold{Subject: data}
	for name, c := range map[string]struct {
		first, second []operations.Hold
		busy          bool
	}{
		"shared and shared":       {[]operations.Hold{shared}, []operations.Hold{shared}, false},
		"shared and exclusive":    {[]operations.Hold{shared}, []operations.Hold{exclusive}, true},
		"exclusive and shared":    {[]operations.Hold{exclusive}, []operations.Hold{shared}, true},
		"exclusive and exclusive": {[]operations.Hold{exclusive}, []operations.Hold{exclusive}, true},
		"the second of two holds": {
			[]operations.Hold{shared, {Subject: repository}}, []operations.Hold{{Subject: "data:s2", Shared: true}, {Subject: repository}}, true,
		},
		"other subjects": {[]operations.Hold{exclusive}, []operations.Hold{{Subject: "site:s1"}}, false},
		"no holds":       {nil, nil, true}, // the operation's subject, exclusively
	} {
		t.Run(name, func(t *testing.T) {
			store := operationstest.NewStore(time.Now)
			var results []error
			for _, holds := range [][]operations.Hold{c.first, c.second} {
				plan := operations.Plan{Kind: "test", Steps: []operations.Step{{Name: "one"}}}
				if holds != nil {
					plan.Holds = func(operations.Operation) []operations.Hold { return holds }
				}
				op, err := operations.NewOperation(plan, time.Now(), operations.Request{Subject: "thing:1"})
				if err != nil {
					t.Fatal(err)
				}
				_, err = store.Insert(t.Context(), op)
				results = append(results, err)
			}
			if results[0] != nil || errors.Is(results[1], operations.ErrBusy) != c.busy {
				t.Errorf("inserting one after the other: %v; want busy: %v", results, c.busy)
			}
		})
	}
}
