package wire

import (
	"context"
	"errors"
	"testing"
)

type uids struct {
	there, raised int
	err           error
}

func (u *uids) HighestUID(_ context.Context, last int) (int, error) {
	if last != 265535 {
		return 0, errors.New("asked beyond the range")
	}
	return u.there, u.err
}

func (u *uids) RaiseUIDs(_ context.Context, seen int) error {
	u.raised = seen
	return nil
}

func TestAWorkerOnAnOlderDumpRaisesTheUserIDsAboveTheLiving(t *testing.T) {
	for there, want := range map[int]int{0: 0, 199999: 0, 200000: 200000, 200123: 200123} {
		u := &uids{there: there}
		if err := reserveUIDs(t.Context(), u, u, 200000, 265535); err != nil || u.raised != want {
			t.Errorf("with %d there, raised to %d (%v), want %d", there, u.raised, err, want)
		}
	}
}

func TestAWorkerThatCannotSeeTheLivingUserIDsDoesNotGoOn(t *testing.T) {
	u := &uids{err: errors.New("the data root is not mounted")}
	if err := reserveUIDs(t.Context(), u, u, 200000, 265535); !errors.Is(err, u.err) {
		t.Errorf("got %v, want %v", err, u.err)
	}
}
