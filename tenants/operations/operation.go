// Package operations makes long work durable: an operation is a row, inserted in the same transaction as the business
// change that requests it, and executed step by step by a worker that may be killed at any instant.
//
// The package knows no container engine, no database and no site. Start reading at Step, then Runner.
package operations

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"time"
)

// Operation is one durable piece of work on one subject.
type Operation struct {
	ID            string // sortable by time, see NewID
	Kind          string // names the plan, such as "site.provision"
	Lane          Lane   // whose slots it takes
	PlanVersion   int    // version of the plan it was made for; a new binary finishes old plans with old steps
	Subject       string // what it works on, such as "site:s7k2m9qx4p"
	Holds         []Hold // what it keeps from others while it is live, see Held; written once, not read back
	AssociationID string // whose it is; "" for the co-op's own
	SiteID        string // "" when it is not about one site
	Key           string // idempotency key: the same request sent twice is one operation
	Spec          json.RawMessage
	State         State
	Cancel        bool   // cancellation was requested before the pivot
	Problem       string // why it failed, waits or needs a person: a code of the plan or of Cause
	Detail        string // the cause in words for volunteers
	Attempt       int    // tries of the current step
	RunAfter      time.Time
	CreatedBy     string // name of the principal, for the audit trail and the page
	CreatedAt     time.Time
	StartedAt     *time.Time
	EndedAt       *time.Time
	Lease         Lease
	Steps         []StepRecord // ordered by Seq
}

// Lease is the right of one worker to execute an operation, until an instant by the database's clock, with a fence.
type Lease struct {
	Owner string
	Until *time.Time
	Fence int64 // grows with every claim; a write with an old fence is refused
}

// State is the state of an operation.
type State string

// The states of an operation.
const (
	Queued  State = "queued"
	Running State = "running"
	Undoing State = "undoing"
	Done    State = "done"   // every step done
	Undone  State = "undone" // failed or cancelled, and nothing of it is left
	Stuck   State = "stuck"  // needs a person; Problem says why
)

// Ended reports whether the operation is over. A stuck operation is not: it keeps its subject.
func (s State) Ended() bool { return s == Done || s == Undone }

// StepRecord is the stored state of a step.
type StepRecord struct {
	Seq       int
	Name      string
	State     StepState
	Attempt   int
	Result    json.RawMessage // what later steps need from it
	Error     string
	Progress  *Progress // while it runs, if it tells any
	StartedAt *time.Time
	EndedAt   *time.Time
}

// StepState is the state of a step.
type StepState string

// The states of a step.
const (
	StepPending StepState = "pending"
	StepDoing   StepState = "doing"
	StepDone    StepState = "done"
	StepUndoing StepState = "undoing"
	StepUndone  StepState = "undone"
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns a 26-character operation id that sorts by now (to the microsecond, until the year 2112).
func NewID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMicro())<<12)
	_, _ = rand.Read(b[7:]) // never fails
	return idEncoding.EncodeToString(b[:])
}

// Progress returns how many steps are done and how many there are.
func (o Operation) Progress() (done, total int) {
	for _, s := range o.Steps {
		if s.State == StepDone {
			done++
		}
	}
	return done, len(o.Steps)
}

// undoStarted reports whether undoing has begun; a stuck operation that is retried continues in its former direction.
func (o Operation) undoStarted() bool {
	if o.State == Undoing {
		return true
	}
	for _, s := range o.Steps {
		if s.State == StepUndoing || s.State == StepUndone {
			return true
		}
	}
	return false
}
