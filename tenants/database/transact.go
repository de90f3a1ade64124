package database

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"
)

type transactionKey struct{}

// On returns the transaction that ctx carries, or the pool.
func (d *DB) On(ctx context.Context) *gorm.DB {
	if tx, ok := ctx.Value(transactionKey{}).(*gorm.DB); ok {
		return tx.WithContext(ctx)
	}
	return d.gorm.WithContext(ctx)
}

func inTransaction(ctx context.Context) bool {
	_, ok := ctx.Value(transactionKey{}).(*gorm.DB)
	return ok
}

// Transact runs fn in one transaction, which the context it hands on carries. Within a transaction it joins it. fn runs
// again after a deadlock, so it must do nothing but read and write records.
func (d *DB) Transact(ctx context.Context, fn func(ctx context.Context) error) error {
	if inTransaction(ctx) {
		return fn(ctx)
	}
	return d.WithRetry(ctx, func() error {
		var inner error
		outer := d.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			inner = fn(context.WithValue(ctx, transactionKey{}, tx))
			return inner
			// Read committed: fences and unique keys do what snapshots would, and no lock is kept on a gap.
		}, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if inner != nil {
			return inner
		}
		return Translate("writing to the database", outer)
	})
}

// Deadlocks are over within milliseconds: whoever was not the victim has committed.
const (
	retries    = 6
	firstPause = 4 * time.Millisecond
)

// WithRetry repeats fn while the server says that it changed nothing and that the same may succeed now. Inside a transaction
// it does not: the whole of it was rolled back, and Transact repeats it.
func (d *DB) WithRetry(ctx context.Context, fn func() error) error {
	if inTransaction(ctx) {
		return fn()
	}
	pause := firstPause
	for try := 1; ; try++ {
		err := fn()
		if try == retries || !Numbered(err, again...) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause + rand.N(pause)): //nolint:gosec // scatter, not a secret
		}
		pause *= 2
	}
}
