package provision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// fill fills the disk when a step is about to be done for the first time.
func (h *house) fill(step string) func(context.Context, operations.Operation, string, operations.Point) {
	var once sync.Once
	return func(_ context.Context, _ operations.Operation, name string, p operations.Point) {
		if name == step && p == operations.BeforeDo {
			once.Do(func() { h.world.SetMissing(312) })
		}
	}
}

func TestAFullDiskIsSaidWithWhatIsMissingAndWaitedOut(t *testing.T) {
	for _, step := range []string{"image", "files", "database", "install", "open"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			h.run(t, h.fill(step))
			op, err := h.desk.CreateSite(t.Context(), h.admin, h.wish())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute) // of the bubble's own clock
			got, err := h.records.Operation(t.Context(), op.ID)
			if err != nil {
				t.Fatal(err)
			}
			if step != "open" && (got.State != operations.Running || got.Problem != string(operations.CauseDiskFull) ||
				!strings.Contains(got.Detail, "312 MiB are missing")) {
				t.Errorf("filled before %s, after five minutes it is %s: %s, %s", step, got.State, got.Problem, got.Detail)
			}
			h.world.SetMissing(0)
			time.Sleep(10 * time.Second)
			if got, _ = h.records.Operation(t.Context(), op.ID); got.State != operations.Done {
				t.Errorf("filled before %s, ten seconds after room was made it is %s: %s, %s", step, got.State, got.Problem, got.Detail)
			}
		})
	}
}

func TestAnOperationOnAFullDiskCanBeCancelledAndAPurgeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		gone := h.provisioned(t)
		h.run(t, nil)
		op, err := h.desk.DeleteSite(t.Context(), h.admin, gone.ID)
		h.want(t, operations.Done, op, err)
		h.world.SetMissing(1)
		other := h.wish()
		other.Host = "other"
		stuck, err := h.desk.CreateSite(t.Context(), h.admin, other)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		op, err = h.desk.PurgeSite(t.Context(), h.admin, gone.ID)
		h.want(t, operations.Done, op, err)
		if err := h.records.Cancel(t.Context(), stuck.ID); err != nil {
			t.Fatal(err)
		}
		if got := h.wait(t, stuck.ID); got.State != operations.Undone {
			t.Errorf("cancelled, it is %s", got.State)
		}
	})
}

func TestFailuresAreToldApartByTheRoomThereIs(t *testing.T) {
	other := errors.New("hook install ended with 255")
	room, none := &roomOf{}, &roomOf{fmt.Errorf("%w: 7 MiB are missing", tenants.ErrDiskFull)}
	for _, c := range []struct {
		name string
		disk provision.DiskSpace
		err  error
		full bool
	}{
		{"nothing failed", none, nil, false},
		{"something else, with room", room, other, false},
		{"something else, without room", none, other, true},
		{"a disk of somebody else's", room, fmt.Errorf("pulling: %w", tenants.ErrDiskFull), true},
		{"a lease that was lost", none, operations.ErrFenced, false},
	} {
		got := provision.ClassifyDiskFull(t.Context(), c.disk, c.err)
		if errors.Is(got, tenants.ErrDiskFull) != c.full || !errors.Is(got, c.err) {
			t.Errorf("%s: told as %v", c.name, got)
		}
		if c.full && c.disk == none && !strings.Contains(got.Error(), "7 MiB") {
			t.Errorf("%s: %v does not say how much is missing", c.name, got)
		}
	}
}

// roomOf is a disk that says what it is told to.
type roomOf struct{ err error }

func (r *roomOf) Room(context.Context, int64) error { return r.err }

func TestAContainerWhoseStartWasCutOffIsMadeAnew(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	h.run(t, nil)
	op, err := h.desk.SuspendSite(t.Context(), h.admin, s.ID)
	h.want(t, operations.Done, op, err)
	h.world.HalfStarted[h.world.Front(s.ID)] = true
	op, err = h.desk.ResumeSite(t.Context(), h.admin, s.ID)
	if got := h.want(t, operations.Done, op, err); got.Problem != "" {
		t.Errorf("it ended with %q", got.Problem)
	}
}
