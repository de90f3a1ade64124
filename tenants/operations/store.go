package operations

import (
	"cmp"
	"context"
	"encoding/json"
	"time"
)

// Store is what the runner needs from the database. Every method with a fence returns ErrFenced and changes nothing when
// the operation has been claimed by another worker since. Leases and due times are by the database's clock.
type Store interface {
	// Claim leases the oldest due operation of these lanes that is not ended, not stuck and not leased, with its steps;
	// ErrNotFound when none is.
	Claim(ctx context.Context, owner string, lanes []Lane, ttl time.Duration) (Operation, error)
	// Renew extends the lease.
	Renew(ctx context.Context, id string, fence int64, ttl time.Duration) error
	// Cancelled reports whether cancellation was requested.
	Cancelled(ctx context.Context, id string) (bool, error)
	// SetProgress writes how far a running step has come. Advance and Commit remove it.
	SetProgress(ctx context.Context, id string, fence int64, seq int, p Progress) error
	// Advance writes the operation's state and one step's state, attempt and error before an effect.
	Advance(ctx context.Context, id string, fence int64, state State, step StepRecord) error
	// Commit writes a finished (or undone) step with its result.
	Commit(ctx context.Context, id string, fence int64, step StepRecord) error
	// Requeue releases the lease and makes the operation due after the delay.
	Requeue(ctx context.Context, id string, fence int64, delay time.Duration, problem, detail string) error
	// SetState changes the state (to Undoing or Stuck) with the reason; Stuck releases the lease.
	SetState(ctx context.Context, id string, fence int64, state State, problem, detail string) error
	// End writes the final state and runs outcome in the same transaction; what it held is free afterwards.
	End(ctx context.Context, id string, fence int64, state State, outcome func(ctx context.Context) error) error
	// RevokeLeases removes every lease: a starting worker that holds the file lock knows that their owner is dead.
	RevokeLeases(ctx context.Context) (int64, error)
}

// Queue inserts operations and reads them for people.
type Queue interface {
	// Insert adds an operation and its pending steps; call it inside the transaction of the business change.
	// ErrBusy when a live operation excludes it (see Hold); the transaction must then be rolled back. When an operation with
	// the same Key exists, it is returned instead.
	Insert(ctx context.Context, op Operation) (Operation, error)
	Operation(ctx context.Context, id string) (Operation, error)
	Operations(ctx context.Context, f Filter) ([]Operation, error)
	// Cancel requests cancellation; the worker decides. ErrTooLate when the operation has ended or is being undone.
	Cancel(ctx context.Context, id string) error
	// Retry makes a stuck operation due at once.
	Retry(ctx context.Context, id string) error
}

// Filter narrows a list of operations; zero values do not narrow. Newest first.
type Filter struct {
	AssociationIDs []string // nil: all
	SiteID         string
	Subject        string
	LiveOnly       bool
	Limit          int // 0: 100
}

// Request is what an operation is asked for.
type Request struct {
	Subject       string
	AssociationID string // "" for the co-op's own
	SiteID        string // "" when it is not about one site
	Key           string // idempotency key; "" for none
	CreatedBy     string // name of the principal
	Spec          any    // the input, stored as JSON
}

// NewOperation returns a queued operation of a plan with its holds and pending steps.
func NewOperation(p Plan, now time.Time, r Request) (Operation, error) {
	raw, err := json.Marshal(r.Spec)
	if err != nil {
		return Operation{}, err
	}
	op := Operation{
		ID: NewID(now), Kind: p.Kind, Lane: cmp.Or(p.Lane, Waiting), PlanVersion: p.Version, Subject: r.Subject,
		AssociationID: r.AssociationID, SiteID: r.SiteID, Key: r.Key, CreatedBy: r.CreatedBy,
		Spec: raw, State: Queued, RunAfter: now, CreatedAt: now,
	}
	if op.Key == "" {
		op.Key = op.ID
	}
	if p.Holds != nil {
		op.Holds = p.Holds(op)
	}
	for i, s := range p.Steps {
		op.Steps = append(op.Steps, StepRecord{Seq: i, Name: s.Name, State: StepPending})
	}
	return op, nil
}
