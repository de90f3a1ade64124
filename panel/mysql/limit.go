package mysql

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/database"
)

type signalRecord struct {
	ID        []byte `gorm:"primaryKey"`
	ExpiresAt time.Time
}

// TableName implements gorm's Tabler.
func (signalRecord) TableName() string { return "logout_tokens" }

type tryRecord struct {
	ID      []byte `gorm:"primaryKey"`
	SpentTo time.Time
}

// TableName implements gorm's Tabler.
func (tryRecord) TableName() string { return "tries" }

// RecordLogout implements auth.SignalStore.
func (s *Store) RecordLogout(ctx context.Context, token auth.Hash, until time.Time, sid, subject string) (n int64, err error) {
	err = s.db.On(ctx).Transaction(func(tx *gorm.DB) error {
		r := signalRecord{ID: token[:], ExpiresAt: until.UTC()}
		if err := tx.Create(&r).Error; err != nil {
			return err
		}
		where, key := "kc_sid = ?", sid
		if sid == "" {
			where, key = "kc_sub = ?", subject
		}
		done := tx.Where(where, key).Delete(&sessionRecord{})
		n = done.RowsAffected
		if done.Error != nil || subject == "" {
			return done.Error
		}
		return tx.Model(&sessionRecord{}).Where("kc_sub = ?", subject).Update("rights_at", time.Unix(0, 0).UTC()).Error
	})
	return n, database.Translate("hearing a signal", err)
}

// TakeToken implements auth.TryStore. One statement decides, so that of many at once no more pass than are left.
func (s *Store) TakeToken(ctx context.Context, key auth.Hash, now time.Time, interval time.Duration, burst int) (bool, time.Time, error) {
	const doing = "counting a try"
	now = now.UTC().Truncate(time.Microsecond)
	step, room := interval.Microseconds(), interval.Microseconds()*int64(burst-1)
	for range 2 { // the second time when somebody else made the row meanwhile
		done := s.db.On(ctx).Exec(`UPDATE tries SET spent_to = GREATEST(spent_to, ?) + INTERVAL ? MICROSECOND
  WHERE id = ? AND spent_to <= ? + INTERVAL ? MICROSECOND`, now, step, key[:], now, room)
		if done.Error != nil || done.RowsAffected == 1 {
			return done.Error == nil, now, database.Translate(doing, done.Error)
		}
		// A list of bytes right behind a bracket would be taken for a list of values.
		made := s.db.On(ctx).Exec("INSERT IGNORE INTO tries (spent_to, id) VALUES (?, ?)", now.Add(interval), key[:])
		if made.Error != nil || made.RowsAffected == 1 {
			return made.Error == nil, now, database.Translate(doing, made.Error)
		}
		spent, err := s.SpentUntil(ctx, key)
		if err != nil || spent.After(now.Add(time.Duration(room)*time.Microsecond)) {
			return false, spent, err
		}
	}
	return false, now, nil
}

// SetSpent implements auth.TryStore.
func (s *Store) SetSpent(ctx context.Context, key auth.Hash, until time.Time) error {
	r := tryRecord{ID: key[:], SpentTo: until.UTC()}
	return database.Translate("holding a bucket", s.db.On(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&r).Error)
}

// SpentUntil implements auth.TryStore.
func (s *Store) SpentUntil(ctx context.Context, key auth.Hash) (time.Time, error) {
	var r tryRecord
	err := database.Translate("reading a bucket", s.db.On(ctx).Take(&r, "id = ?", key[:]).Error)
	if errors.Is(err, tenants.ErrNotFound) {
		return time.Time{}, nil
	}
	return r.SpentTo, err
}
