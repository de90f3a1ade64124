package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chatiere/tenants/database"
	"chatiere/tenants/operations"
)

var (
	_ operations.Queue = (*Store)(nil)
	_ operations.Store = (*Store)(nil)
)

// Insert adds an operation and its pending steps; call it inside the transaction of the business change. ErrBusy when
// a live operation excludes it; the transaction must then be rolled back. When one with the same Key exists, it is returned
// instead, whatever its state.
func (s *Store) Insert(ctx context.Context, op operations.Operation) (operations.Operation, error) {
	var out operations.Operation
	err := s.Transact(ctx, func(ctx context.Context) error {
		there, err := s.insert(ctx, op)
		if err != nil {
			return err
		}
		out, err = s.Operation(ctx, there)
		return err
	})
	return out, err
}

// insert returns the id of the operation that holds the key: op's, or an older one's.
func (s *Store) insert(ctx context.Context, op operations.Operation) (id string, err error) {
	r := operationRecordOf(op)
	// Due after the same delay as by the asker's clock, which may differ from the database's.
	delay := max(0, op.RunAfter.Sub(op.CreatedAt))
	err = s.On(ctx).Create(&r).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return s.byKey(ctx, op)
	}
	if err != nil {
		return "", database.Translate("inserting operation "+op.ID, err)
	}
	if err := s.insertHolds(ctx, op); err != nil {
		return "", err
	}
	if err := s.On(ctx).Exec("UPDATE operations SET run_after = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND WHERE id = ?",
		delay.Microseconds(), op.ID).Error; err != nil {
		return "", database.Translate("setting when operation "+op.ID+" is due", err)
	}
	if steps := stepRecordsOf(op); len(steps) > 0 {
		err = s.On(ctx).Create(&steps).Error
	}
	return op.ID, database.Translate("inserting the steps of operation "+op.ID, err)
}

// byKey returns the id of the operation with the key. It reads with a lock, so as to see what others have committed
// meanwhile.
func (s *Store) byKey(ctx context.Context, op operations.Operation) (id string, err error) {
	var r operationRecord
	err = s.On(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Select("id").Take(&r, "idem_key = ?", op.Key).Error
	return r.ID, database.Translate("looking for an operation by key", err)
}

// insertHolds inserts the operation's holds, in an order that is the same for all, and returns ErrBusy when one of them is
// excluded. The holds that exclude it are looked for after its own is written, with a lock that waits for other writers: of
// two that insert at the same time one sees the other's, or both wait and the server sends one back to begin again.
func (s *Store) insertHolds(ctx context.Context, op operations.Operation) error {
	busy := fmt.Errorf("inserting operation %s on %s: %w", op.ID, op.Subject, operations.ErrBusy)
	holds := slices.Clone(op.Held())
	slices.SortFunc(holds, func(a, b operations.Hold) int { return strings.Compare(a.Subject, b.Subject) })
	for _, h := range holds {
		r, others := holdRecord{Subject: h.Subject, OperationID: op.ID}, "holder <> ''"
		if h.Shared {
			r.Holder, others = op.ID, "holder = ''"
		}
		err := s.On(ctx).Create(&r).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return busy
		}
		if err != nil {
			return database.Translate("holding "+h.Subject, err)
		}
		var holder []string
		err = s.On(ctx).Raw("SELECT operation_id FROM operation_holds WHERE subject = ? AND "+others+" LIMIT 1 LOCK IN SHARE MODE", h.Subject).
			Scan(&holder).Error
		if err != nil {
			return database.Translate("looking for holds on "+h.Subject, err)
		}
		if len(holder) > 0 {
			return busy
		}
	}
	return nil
}

// Operation returns one with its steps.
func (s *Store) Operation(ctx context.Context, id string) (operations.Operation, error) {
	var r operationRecord
	err := s.On(ctx).Take(&r, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return operations.Operation{}, fmt.Errorf("reading an operation: %w", operations.ErrNotFound)
	}
	if err != nil {
		return operations.Operation{}, database.Translate("reading an operation", err)
	}
	found, err := s.withSteps(ctx, []operationRecord{r})
	if err != nil {
		return operations.Operation{}, err
	}
	return found[0], nil
}

// Operations returns those that pass the filter, newest first.
func (s *Store) Operations(ctx context.Context, f operations.Filter) ([]operations.Operation, error) {
	if f.AssociationIDs != nil && len(f.AssociationIDs) == 0 {
		return nil, nil
	}
	q := s.On(ctx).Order("id DESC").Limit(limit(f.Limit))
	if f.AssociationIDs != nil {
		q = q.Where("association_id IN ?", f.AssociationIDs)
	}
	if f.SiteID != "" {
		q = q.Where("site_id = ?", f.SiteID)
	}
	if f.Subject != "" {
		q = q.Where("subject = ?", f.Subject)
	}
	if f.LiveOnly {
		q = q.Where("id IN (SELECT operation_id FROM operation_holds)")
	}
	var rs []operationRecord
	if err := q.Find(&rs).Error; err != nil {
		return nil, database.Translate("listing operations", err)
	}
	return s.withSteps(ctx, rs)
}

func (s *Store) withSteps(ctx context.Context, rs []operationRecord) ([]operations.Operation, error) {
	if len(rs) == 0 {
		return nil, nil
	}
	ids := make([]string, 0, len(rs))
	for _, r := range rs {
		ids = append(ids, r.ID)
	}
	var steps []stepRecord
	if err := s.On(ctx).Where("operation_id IN ?", ids).Order("operation_id, seq").Find(&steps).Error; err != nil {
		return nil, database.Translate("reading steps", err)
	}
	of := map[string][]stepRecord{}
	for _, step := range steps {
		of[step.OperationID] = append(of[step.OperationID], step)
	}
	out := make([]operations.Operation, 0, len(rs))
	for _, r := range rs {
		out = append(out, r.operation(of[r.ID]))
	}
	return out, nil
}

// Cancel asks; the worker decides, at once rather than when a pause is over. ErrTooLate when the operation has ended or
// is being undone.
func (s *Store) Cancel(ctx context.Context, id string) error {
	return s.ask(ctx, "cancelling operation "+id, id, `UPDATE operations
  SET cancel = TRUE, run_after = LEAST(run_after, UTC_TIMESTAMP(6)) WHERE id = ? AND (state IN ('queued', 'running')
  OR (state = 'stuck' AND resume_state <> 'undoing'))`)
}

// Retry makes a stuck operation due at once, in the direction it was going and with a fresh count of tries; it ends the
// pause of one that waits for its next try. ErrTooLate when it has ended.
func (s *Store) Retry(ctx context.Context, id string) error {
	doing := "retrying operation " + id
	return s.Transact(ctx, func(ctx context.Context) error {
		err := s.ask(ctx, doing, id, `UPDATE operations SET run_after = UTC_TIMESTAMP(6), attempt = 0,
  problem = IF(state = 'stuck', '', problem), detail = IF(state = 'stuck', '', detail),
  state = IF(state = 'stuck', resume_state, state) WHERE id = ? AND ended_at IS NULL`)
		if err != nil {
			return err
		}
		return database.Translate(doing, s.On(ctx).Exec(`UPDATE operation_steps SET attempt = 0
  WHERE operation_id = ? AND state IN ('doing', 'undoing')`, id).Error)
	})
}

func (s *Store) ask(ctx context.Context, doing, id, statement string) error {
	return s.WithRetry(ctx, func() error {
		done := s.On(ctx).Exec(statement, id)
		if done.Error != nil {
			return database.Translate(doing, done.Error)
		}
		if done.RowsAffected > 0 {
			return nil
		}
		if _, err := s.Operation(ctx, id); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", doing, operations.ErrTooLate)
	})
}

// LastOperation returns the newest operation about a site; operations.ErrNotFound when there was none.
func (s *Store) LastOperation(ctx context.Context, siteID string) (operations.Operation, error) {
	found, err := s.Operations(ctx, operations.Filter{SiteID: siteID, Limit: 1})
	if err != nil {
		return operations.Operation{}, err
	}
	if len(found) == 0 {
		return operations.Operation{}, fmt.Errorf("looking for the site's last operation: %w", operations.ErrNotFound)
	}
	return found[0], nil
}

// Clock returns the database's time, for the doctor to compare.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.On(ctx).Raw("SELECT UTC_TIMESTAMP(6)").Row().Scan(&now)
	if err != nil {
		return time.Time{}, database.Translate("reading the database's clock", err)
	}
	return now, nil
}
