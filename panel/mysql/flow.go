package mysql

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/database"
)

type flowRecord struct {
	State      []byte `gorm:"primaryKey"`
	Binding    []byte
	Nonce      string
	Verifier   string
	ReturnPath string
	StepUp     bool
	ExpiresAt  time.Time
}

// TableName implements gorm's Tabler.
func (flowRecord) TableName() string { return "sign_ins" }

// InsertFlow implements auth.FlowStore.
func (s *Store) InsertFlow(ctx context.Context, f auth.Flow) error {
	r := flowRecord{
		State: f.State[:], Binding: f.Binding[:], Nonce: f.Nonce, Verifier: f.Verifier, ReturnPath: f.Return, StepUp: f.StepUp,
		ExpiresAt: f.ExpiresAt.UTC(),
	}
	return database.Translate("inserting a sign-in", s.db.On(ctx).Create(&r).Error)
}

// TakeFlow implements auth.FlowStore: of two that come with one state, one gets it.
func (s *Store) TakeFlow(ctx context.Context, state auth.Hash) (auth.Flow, error) {
	var r flowRecord
	err := s.db.On(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&r, "state = ?", state[:]).Error; err != nil {
			return err
		}
		done := tx.Delete(&flowRecord{}, "state = ?", state[:])
		if done.Error == nil && done.RowsAffected != 1 {
			return fmt.Errorf("taking a sign-in twice: %w", tenants.ErrNotFound)
		}
		return done.Error
	})
	if err != nil {
		return auth.Flow{}, database.Translate("taking a sign-in", err)
	}
	return auth.Flow{
		State: state, Binding: hash(r.Binding), Nonce: r.Nonce, Verifier: r.Verifier, Return: r.ReturnPath, StepUp: r.StepUp, ExpiresAt: r.ExpiresAt,
	}, nil
}
