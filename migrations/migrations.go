// Package migrations holds the schema of the panel's database as numbered SQL files and brings a database to it.
//
// MariaDB's DDL knows no transactions, so every file holds one statement that can be run again, and a row in
// schema_pending stands while one runs. The package knows no type of the rest of the project. Start reading at Up.
//
// Versions 1 to 99 and from 200 on belong to the tenants' records, 100 to 199 to the panel's own (sessions, tokens,
// break-glass links).
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed *.sql
var files embed.FS

// Errors of this package.
var (
	// ErrLocked: another starter holds the lock and did not let go of it in time.
	ErrLocked = errors.New("another program is changing the schema")
	// ErrHalfApplied: schema and record contradict each other; the text says what to do.
	ErrHalfApplied = errors.New("the schema is half applied")
	// ErrNewer: the database was brought further than this binary knows.
	ErrNewer = errors.New("the schema is newer than this program")
)

// Up brings the database to the newest schema this binary knows. Several starters at once take turns.
// db must connect as a user that may change the schema, with parseTime on.
func Up(ctx context.Context, db *sql.DB, log *slog.Logger) (err error) {
	unlock, err := lock(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	m, err := newMigrator(ctx, db, log)
	if err != nil {
		return err
	}
	if err := m.check(ctx); err != nil {
		return err
	}
	return m.up(ctx)
}

func newMigrator(ctx context.Context, db *sql.DB, log *slog.Logger) (*migrator, error) {
	sources, err := read(files)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, db); err != nil {
		return nil, err
	}
	provider, err := newProvider(db)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return &migrator{db: db, log: log, provider: provider, sources: sources}, nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectMySQL, db, files, goose.WithDisableGlobalRegistry(true))
}
