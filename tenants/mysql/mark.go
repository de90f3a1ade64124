package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type markRecord struct {
	One          int `gorm:"primaryKey;autoIncrement:false"`
	Installation string
	Count        int64
	Host         string
	MarkedAt     time.Time
}

// TableName implements gorm's Tabler.
func (markRecord) TableName() string { return "worker_mark" }

func (r markRecord) mark() tenants.Mark {
	return tenants.Mark{Installation: r.Installation, Count: r.Count, Host: r.Host, At: r.MarkedAt}
}

// noSuchTable is what MariaDB says of a table that a later version of ours makes.
const noSuchTable = 1146

// Mark returns how far the records have come; the zero mark when they bear none, even if their schema is too old for one.
func (s *Store) Mark(ctx context.Context) (tenants.Mark, error) {
	var r markRecord
	err := s.On(ctx).Take(&r, "one = 1").Error
	if errors.Is(err, gorm.ErrRecordNotFound) || database.Numbered(err, noSuchTable) {
		return tenants.Mark{}, nil
	}
	return r.mark(), database.Translate("reading the records' mark", err)
}

// AdvanceMark adds one to the mark and returns what it is then; ErrConflict when the records belong to another data root.
func (s *Store) AdvanceMark(ctx context.Context, installation, host string) (tenants.Mark, error) {
	var m tenants.Mark
	err := s.Transact(ctx, func(ctx context.Context) error {
		done := s.On(ctx).Exec(`UPDATE worker_mark SET count = count + 1, host = ?, marked_at = UTC_TIMESTAMP(6)
  WHERE one = 1 AND installation = ?`, database.Clip(host, 128), installation)
		if done.Error == nil && done.RowsAffected == 0 {
			return fmt.Errorf("advancing the records' mark: %w", tenants.ErrConflict)
		}
		if done.Error != nil {
			return database.Translate("advancing the records' mark", done.Error)
		}
		var err error
		m, err = s.Mark(ctx)
		return err
	})
	return m, err
}

// SetMark makes the records belong to a data root, whatever they said before, and tells the audit trail of it when there is
// something to tell.
func (s *Store) SetMark(ctx context.Context, m tenants.Mark, told *tenants.AuditEntry) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		err := s.On(ctx).Exec(`INSERT INTO worker_mark (one, installation, count, host, marked_at)
  VALUES (1, ?, ?, ?, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE installation = VALUES(installation), count = VALUES(count),
  host = VALUES(host), marked_at = VALUES(marked_at)`, m.Installation, m.Count, database.Clip(m.Host, 128)).Error
		if err != nil || told == nil {
			return database.Translate("writing the records' mark", err)
		}
		return s.Audit(ctx, *told)
	})
}
