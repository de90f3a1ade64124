package operations

import (
	"errors"

	"chatiere/tenants/recovery"
)

var (
	// ErrUnknownPlan: this binary does not know the plan's version; a newer one made the operation.
	ErrUnknownPlan = errors.New("unknown plan")
	// ErrFenced: another worker has claimed the operation since; the caller must stop at once.
	ErrFenced = errors.New("lease lost")
	// ErrBusy: the subject has a live operation.
	ErrBusy = errors.New("subject is busy")
	// ErrNotFound: no such operation.
	ErrNotFound = errors.New("operation not found")
	// ErrTooLate: past the pivot, or ended, cancelling is not possible.
	ErrTooLate = errors.New("too late to cancel")
)

// Cause is why an operation failed for good or needs a person. The table is short on purpose: a crash is never in it.
type Cause string

// The causes.
const (
	CauseCancelled     Cause = "cancelled"
	CauseDiskFull      Cause = "disk_full"
	CauseRefused       Cause = "credentials_refused"
	CauseContradiction Cause = "contradiction" // records and reality contradict each other
	CauseUnknownPlan   Cause = "unknown_plan"
	CauseExhausted     Cause = "retries_exhausted"
	CauseTemplate      Cause = "template" // the application's own hook or probe fails
	CauseNameTaken     Cause = "name_taken"
	CauseSnapshot      Cause = "snapshot" // what should be brought back is not there, or damaged
	CauseProgram       Cause = "program"  // a panic, which no retry of the same program fixes
)

// classified adds the class of failure to an error.
type classified struct {
	class class
	cause Cause
	err   error
}

type class int

const (
	transient class = iota
	permanent
	waiting
	needsPerson
)

func (c *classified) Error() string { return c.err.Error() }
func (c *classified) Unwrap() error { return c.err }

// Permanent marks an error that no retry can fix: before the pivot the operation is undone, after it a person is needed.
func Permanent(cause Cause, err error) error { return &classified{permanent, cause, err} }

// NeedsPerson marks an error that makes the operation stuck until somebody acts and retries it.
func NeedsPerson(cause Cause, err error) error { return &classified{needsPerson, cause, err} }

// Waits marks an error that passes when something outside changes (free disk space): the operation tries again every few
// seconds without a limit and shows the cause meanwhile.
func Waits(cause Cause, err error) error { return &classified{waiting, cause, err} }

func classify(err error) (class, Cause) {
	if errors.Is(err, recovery.ErrPanic) {
		return permanent, CauseProgram
	}
	var c *classified
	if errors.As(err, &c) {
		return c.class, c.cause
	}
	return transient, CauseExhausted
}
