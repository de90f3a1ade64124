package worker_test

import (
	"context"
	"errors"
	"testing"

	"chatiere/tenants/worker"
)

type uids struct {
	worker.Disk
	worker.Records
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

func workerWith(u *uids) *worker.Worker {
	return &worker.Worker{Disk: u, Records: u, Sites: worker.Sites{FirstUID: 200000, LastUID: 265535}}
}

func TestAWorkerOnAnOlderDumpRaisesTheUserIDsAboveTheLiving(t *testing.T) {
	for there, want := range map[int]int{0: 0, 199999: 0, 200000: 200000, 200123: 200123} {
		u := &uids{there: there}
		if err := workerWith(u).ReserveUIDs(t.Context()); err != nil || u.raised != want {
			t.Errorf("with %d there, raised to %d (%v), want %d", there, u.raised, err, want)
		}
	}
}

func TestAWorkerThatCannotSeeTheLivingUserIDsDoesNotGoOn(t *testing.T) {
	u := &uids{err: errors.New("the data root is not mounted")}
	if err := workerWith(u).ReserveUIDs(t.Context()); !errors.Is(err, u.err) {
		t.Errorf("got %v, want %v", err, u.err)
	}
}
