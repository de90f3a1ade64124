package operations_test

import (
	"testing"
	"time"

	"chatiere/tenants/operations"
)

func TestIDsSortByTimeToTheMicrosecondAndNeverRepeat(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	last, seen := "", map[string]bool{}
	for i := range 5000 {
		id := operations.NewID(now.Add(time.Duration(i) * time.Microsecond))
		if len(id) != 26 || id <= last || seen[id] {
			t.Fatalf("id %d is %q after %q", i, id, last)
		}
		last, seen[id] = id, true
	}
	if one, other := operations.NewID(now), operations.NewID(now); one == other {
		t.Error("two ids of one instant are the same")
	}
}
