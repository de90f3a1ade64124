package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants/database"
	"chatiere/tenants/operations"
)

// due is what a worker may claim. Both clocks are the database's.
const due = `state IN ('queued', 'running', 'undoing') AND run_after <= UTC_TIMESTAMP(6)
  AND (lease_until IS NULL OR lease_until < UTC_TIMESTAMP(6))`

// held is what a write with a fence demands: nobody claimed since, and we have not given the lease back.
const held = "id = ? AND fence = ? AND lease_until IS NOT NULL"

// Claim leases the oldest due operation of these lanes that is not ended, not stuck and not leased, with its steps;
// ErrNotFound when none is. Nothing due costs one statement, whatever the number of lanes.
func (s *Store) Claim(ctx context.Context, owner string, lanes []operations.Lane, ttl time.Duration) (operations.Operation, error) {
	const rounds, handful = 10, 8 // claimers who all see the same oldest one shift to the next of the handful
	for range rounds {
		var candidates []operationRecord
		err := s.On(ctx).Select("id", "fence").Where("lane IN ? AND "+due, lanes).Order("run_after, id").Limit(handful).Find(&candidates).Error
		if err != nil {
			return operations.Operation{}, database.Translate("looking for due operations", err)
		}
		if len(candidates) == 0 {
			break
		}
		for _, c := range candidates {
			got, err := s.lease(ctx, c, owner, ttl)
			if err != nil {
				return operations.Operation{}, err
			}
			if got {
				return s.claimed(ctx, c)
			}
		}
	}
	return operations.Operation{}, fmt.Errorf("claiming: %w", operations.ErrNotFound)
}

func (s *Store) lease(ctx context.Context, c operationRecord, owner string, ttl time.Duration) (got bool, err error) {
	err = s.WithRetry(ctx, func() error {
		done := s.On(ctx).Exec(`UPDATE operations SET lease_owner = ?, fence = fence + 1,
  lease_until = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, started_at = COALESCE(started_at, UTC_TIMESTAMP(6))
  WHERE id = ? AND fence = ? AND `+due, database.Clip(owner, 128), ttl.Microseconds(), c.ID, c.Fence)
		got = done.RowsAffected == 1
		return database.Translate("leasing operation "+c.ID, done.Error)
	})
	return got, err
}

// claimed reads what was leased. The fence is the one we wrote: should the lease have run out meanwhile and somebody
// else have claimed, theirs must not become ours.
func (s *Store) claimed(ctx context.Context, c operationRecord) (operations.Operation, error) {
	op, err := s.Operation(ctx, c.ID)
	op.Lease.Fence = c.Fence + 1
	return op, err
}

// Renew extends the lease.
func (s *Store) Renew(ctx context.Context, id string, fence int64, ttl time.Duration) error {
	return s.fenced(ctx, "renewing the lease of operation "+id, id, fence, map[string]any{
		"lease_until": gorm.Expr("UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND", ttl.Microseconds()),
	})
}

// Cancelled reads whether cancelling was asked since the claim.
func (s *Store) Cancelled(ctx context.Context, id string) (bool, error) {
	var r operationRecord
	err := s.On(ctx).Select("cancel").Take(&r, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, fmt.Errorf("reading an operation: %w", operations.ErrNotFound)
	}
	return r.Cancel, database.Translate("reading whether operation "+id+" is cancelled", err)
}

// SetProgress writes how far a running step has come.
func (s *Store) SetProgress(ctx context.Context, id string, fence int64, seq int, p operations.Progress) error {
	doing := "writing the progress of operation " + id
	p.Unit = database.Clip(p.Unit, 32)
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.WithRetry(ctx, func() error {
		done := s.On(ctx).Exec(`UPDATE operation_steps SET progress = ? WHERE operation_id = ? AND seq = ?
  AND EXISTS (SELECT 1 FROM operations WHERE `+held+`)`, string(text), id, seq, id, fence)
		if done.Error == nil && done.RowsAffected == 0 {
			return fmt.Errorf("%s: %w", doing, operations.ErrFenced)
		}
		return database.Translate(doing, done.Error)
	})
}

// Advance writes the operation's state and one step's state, attempt and error before an effect.
func (s *Store) Advance(ctx context.Context, id string, fence int64, state operations.State, step operations.StepRecord) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		err := s.fenced(ctx, "advancing operation "+id, id, fence, map[string]any{"state": string(state), "attempt": step.Attempt})
		if err != nil {
			return err
		}
		return s.writeStep(ctx, id, step, map[string]any{
			"started_at": gorm.Expr("COALESCE(started_at, UTC_TIMESTAMP(6))"), "ended_at": nil,
		})
	})
}

// Commit writes a finished (or undone) step with its result. A step without a result keeps what it had.
func (s *Store) Commit(ctx context.Context, id string, fence int64, step operations.StepRecord) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		// A step that is done has overcome what the last try complained of; why an undo was begun must stay readable.
		err := s.fenced(ctx, "committing a step of operation "+id, id, fence, map[string]any{
			"attempt": 0,
			"problem": gorm.Expr("IF(state = 'running', '', problem)"),
			"detail":  gorm.Expr("IF(state = 'running', '', detail)"),
		})
		if err != nil {
			return err
		}
		more := map[string]any{"ended_at": gorm.Expr("UTC_TIMESTAMP(6)")}
		if len(step.Result) > 0 {
			more["result"] = string(step.Result)
		}
		return s.writeStep(ctx, id, step, more)
	})
}

func (s *Store) writeStep(ctx context.Context, id string, step operations.StepRecord, more map[string]any) error {
	more["progress"] = nil
	more["state"], more["attempt"], more["error"] = string(step.State), step.Attempt, database.Clip(step.Error, maxText)
	done := s.On(ctx).Model(&stepRecord{}).Where("operation_id = ? AND seq = ?", id, step.Seq).Updates(more)
	return database.Changed(fmt.Sprintf("writing step %d of operation %s", step.Seq, id), done)
}

// Requeue gives the lease back and makes the operation due after the delay.
func (s *Store) Requeue(ctx context.Context, id string, fence int64, delay time.Duration, problem, detail string) error {
	return s.fenced(ctx, "postponing operation "+id, id, fence, map[string]any{
		"run_after":   gorm.Expr("UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND", delay.Microseconds()),
		"lease_owner": "", "lease_until": nil,
		"problem": database.Clip(problem, 64), "detail": database.Clip(detail, maxText),
	})
}

// SetState changes the state (to Undoing or Stuck) with the reason; Stuck gives the lease back.
func (s *Store) SetState(ctx context.Context, id string, fence int64, state operations.State, problem, detail string) error {
	set := map[string]any{"state": string(state), "problem": database.Clip(problem, 64), "detail": database.Clip(detail, maxText)}
	if state != operations.Stuck {
		return s.fenced(ctx, "turning operation "+id, id, fence, set)
	}
	set["lease_owner"], set["lease_until"] = "", nil
	return s.Transact(ctx, func(ctx context.Context) error {
		// A statement of its own: which of two assignments of one statement comes first is the server's and gorm's affair.
		err := s.fenced(ctx, "keeping the state of operation "+id, id, fence, map[string]any{"resume_state": gorm.Expr("state")})
		if err != nil {
			return err
		}
		return s.fenced(ctx, "turning operation "+id, id, fence, set)
	})
}

// End writes the final state and runs outcome in the same transaction; what it held is free afterwards.
func (s *Store) End(ctx context.Context, id string, fence int64, state operations.State, outcome func(ctx context.Context) error) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		set := map[string]any{
			"state": string(state), "ended_at": gorm.Expr("UTC_TIMESTAMP(6)"),
			"lease_owner": "", "lease_until": nil,
		}
		if state == operations.Done {
			set["problem"], set["detail"] = "", ""
		}
		if err := s.fenced(ctx, "ending operation "+id, id, fence, set); err != nil {
			return err
		}
		if err := s.On(ctx).Where("operation_id = ?", id).Delete(&holdRecord{}).Error; err != nil {
			return database.Translate("freeing what operation "+id+" held", err)
		}
		if outcome == nil {
			return nil
		}
		return outcome(ctx)
	})
}

// RevokeLeases takes every lease away: a starting worker that holds the file lock knows that their owner is dead. Should the
// owner live after all, its fence no longer fits.
func (s *Store) RevokeLeases(ctx context.Context) (n int64, err error) {
	err = s.WithRetry(ctx, func() error {
		done := s.On(ctx).Exec(`UPDATE operations SET lease_owner = '', lease_until = NULL, fence = fence + 1
  WHERE lease_until IS NOT NULL`)
		n = done.RowsAffected
		return database.Translate("voiding the leases", done.Error)
	})
	return n, err
}

// maxText is what a TEXT column takes of four-byte signs.
const maxText = 16000

func (s *Store) fenced(ctx context.Context, doing, id string, fence int64, set map[string]any) error {
	return s.WithRetry(ctx, func() error {
		done := s.On(ctx).Model(&operationRecord{}).Where(held, id, fence).Updates(set)
		if done.Error == nil && done.RowsAffected == 0 {
			return fmt.Errorf("%s: %w", doing, operations.ErrFenced)
		}
		return database.Translate(doing, done.Error)
	})
}
