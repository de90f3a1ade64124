// Package mysql keeps the panel's own records in MariaDB: sessions, sign-ins that have begun, API tokens, break-glass links.
//
// It implements the ports of panel/auth and knows nothing of associations and sites; those are tenants/mysql's. The
// schema comes from package migrations. Start reading at Store.
package mysql

import (
	"time"

	"chatiere/panel/auth"
	"chatiere/tenants/database"
)

// Store is the panel's records. It is safe for concurrent use.
type Store struct{ db *database.DB }

var _ auth.Store = (*Store)(nil)

// New returns a store in a database, which stays its caller's to close.
func New(db *database.DB) *Store { return &Store{db} }

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

func hash(b []byte) (h auth.Hash) {
	copy(h[:], b)
	return h
}
