// Package operationstest holds a stateful in-memory store of operations for tests. It is never imported by the program.
package operationstest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"chatiere/tenants/operations"
)

// Store implements operations.Store and operations.Queue in memory, with Now as the database's clock.
type Store struct {
	Now func() time.Time

	mu  sync.Mutex
	ops map[string]*operations.Operation
}

var (
	_ operations.Store = (*Store)(nil)
	_ operations.Queue = (*Store)(nil)
)

// NewStore returns an empty store.
func NewStore(now func() time.Time) *Store {
	return &Store{Now: now, ops: map[string]*operations.Operation{}}
}

// Insert implements operations.Queue.
func (s *Store) Insert(_ context.Context, op operations.Operation) (operations.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.ops {
		if o.Key == op.Key {
			return copied(*o), nil
		}
	}
	for _, o := range s.ops {
		if !o.State.Ended() && o.Excludes(op) {
			return op, operations.ErrBusy
		}
	}
	c := copied(op)
	s.ops[op.ID] = &c
	return op, nil
}

// Forget takes an operation out again, as a rolled back transaction does.
func (s *Store) Forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ops, id)
}

// Put writes an operation as it is, such as one in a state that a test needs.
func (s *Store) Put(op operations.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := copied(op)
	s.ops[op.ID] = &c
}

// Operation implements operations.Queue.
func (s *Store) Operation(_ context.Context, id string) (operations.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.ops[id]
	if !ok {
		return operations.Operation{}, operations.ErrNotFound
	}
	return copied(*o), nil
}

// Operations implements operations.Queue.
func (s *Store) Operations(_ context.Context, f operations.Filter) ([]operations.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []operations.Operation
	for _, o := range s.ops {
		if f.AssociationIDs != nil && !slices.Contains(f.AssociationIDs, o.AssociationID) ||
			f.SiteID != "" && o.SiteID != f.SiteID || f.Subject != "" && o.Subject != f.Subject || f.LiveOnly && o.State.Ended() {
			continue
		}
		out = append(out, copied(*o))
	}
	slices.SortFunc(out, func(a, b operations.Operation) int { return cmp.Compare(b.ID, a.ID) })
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[:f.Limit]
	}
	return out, nil
}

// Cancel implements operations.Queue.
func (s *Store) Cancel(_ context.Context, id string) error {
	return s.change(id, -1, func(o *operations.Operation) error {
		if o.State.Ended() || o.State == operations.Undoing {
			return operations.ErrTooLate
		}
		o.Cancel, o.RunAfter = true, s.Now()
		return nil
	})
}

// Retry implements operations.Queue.
func (s *Store) Retry(_ context.Context, id string) error {
	return s.change(id, -1, func(o *operations.Operation) error {
		o.State, o.RunAfter = operations.Running, s.Now()
		return nil
	})
}

// Claim implements operations.Store.
func (s *Store) Claim(_ context.Context, owner string, lanes []operations.Lane, ttl time.Duration) (operations.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	var due *operations.Operation
	for _, o := range s.ops {
		leased := o.Lease.Until != nil && o.Lease.Until.After(now)
		if o.State.Ended() || o.State == operations.Stuck || leased || o.RunAfter.After(now) {
			continue
		}
		if !slices.Contains(lanes, o.Lane) {
			continue
		}
		if due == nil || o.ID < due.ID {
			due = o
		}
	}
	if due == nil {
		return operations.Operation{}, operations.ErrNotFound
	}
	until := now.Add(ttl)
	due.Lease = operations.Lease{Owner: owner, Until: &until, Fence: due.Lease.Fence + 1}
	return copied(*due), nil
}

// Renew implements operations.Store.
func (s *Store) Renew(_ context.Context, id string, fence int64, ttl time.Duration) error {
	return s.change(id, fence, func(o *operations.Operation) error {
		until := s.Now().Add(ttl)
		o.Lease.Until = &until
		return nil
	})
}

// Cancelled implements operations.Store.
func (s *Store) Cancelled(ctx context.Context, id string) (bool, error) {
	o, err := s.Operation(ctx, id)
	return o.Cancel, err
}

// SetProgress implements operations.Store.
func (s *Store) SetProgress(_ context.Context, id string, fence int64, seq int, p operations.Progress) error {
	return s.change(id, fence, func(o *operations.Operation) error {
		o.Steps = slices.Clone(o.Steps)
		o.Steps[seq].Progress = &p
		return nil
	})
}

// Advance implements operations.Store.
func (s *Store) Advance(_ context.Context, id string, fence int64, state operations.State, step operations.StepRecord) error {
	return s.change(id, fence, func(o *operations.Operation) error {
		o.State, o.Steps[step.Seq] = state, step
		return nil
	})
}

// Commit implements operations.Store.
func (s *Store) Commit(_ context.Context, id string, fence int64, step operations.StepRecord) error {
	return s.change(id, fence, func(o *operations.Operation) error {
		o.Steps[step.Seq] = step
		return nil
	})
}

// Requeue implements operations.Store.
func (s *Store) Requeue(_ context.Context, id string, fence int64, d time.Duration, problem, detail string) error {
	return s.change(id, fence, func(o *operations.Operation) error {
		o.RunAfter, o.Problem, o.Detail, o.Lease.Until = s.Now().Add(d), problem, detail, nil
		return nil
	})
}

// SetState implements operations.Store.
func (s *Store) SetState(_ context.Context, id string, fence int64, state operations.State, problem, detail string) error {
	return s.change(id, fence, func(o *operations.Operation) error {
		o.State, o.Problem, o.Detail = state, problem, detail
		if state == operations.Stuck {
			o.Lease.Until = nil
		}
		return nil
	})
}

// End implements operations.Store.
func (s *Store) End(ctx context.Context, id string, fence int64, state operations.State, outcome func(context.Context) error) error {
	if err := outcome(ctx); err != nil {
		return err
	}
	return s.change(id, fence, func(o *operations.Operation) error {
		now := s.Now()
		o.State, o.EndedAt, o.Lease.Until = state, &now, nil
		return nil
	})
}

// RevokeLeases implements operations.Store.
func (s *Store) RevokeLeases(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(0)
	for _, o := range s.ops {
		if o.Lease.Until != nil {
			o.Lease.Until = nil
			o.Lease.Fence++
			n++
		}
	}
	return n, nil
}

// change runs fn on an operation under the lock; a fence below zero is not checked.
func (s *Store) change(id string, fence int64, fn func(*operations.Operation) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.ops[id]
	if !ok {
		return operations.ErrNotFound
	}
	if fence >= 0 && (o.Lease.Fence != fence || o.Lease.Until == nil) {
		return operations.ErrFenced
	}
	return fn(o)
}

func copied(o operations.Operation) operations.Operation {
	o.Steps = slices.Clone(o.Steps)
	return o
}
