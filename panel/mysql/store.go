// Package mysql keeps the panel's own records in MariaDB: sessions, sign-ins that have begun, API tokens, break-glass links.
//
// It implements the ports of panel/auth and knows nothing of associations and sites; those are tenants/mysql's. The
// schema comes from package migrations. Start reading at Store.
package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	mariadb "github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"chatiere/panel/auth"
	"chatiere/tenants"
)

// Store is the panel's records. It is safe for concurrent use.
type Store struct {
	db *gorm.DB
}

var _ auth.Store = (*Store)(nil)

// New returns a store over a pool, which stays its caller's to close. It does not connect yet.
func New(pool *sql.DB, log *slog.Logger) (*Store, error) {
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: pool, SkipInitializeWithVersion: true}), &gorm.Config{
		TranslateError:         true,
		DisableAutomaticPing:   true,
		SkipDefaultTransaction: true, // every method is one statement, or says so
		NowFunc:                func() time.Time { return time.Now().UTC() },
		Logger: logger.NewSlogLogger(log, logger.Config{
			SlowThreshold: 200 * time.Millisecond, LogLevel: logger.Warn, ParameterizedQueries: true, IgnoreRecordNotFoundError: true,
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the database layer: %w", err)
	}
	return &Store{db: db}, nil
}

func (s *Store) on(ctx context.Context) *gorm.DB { return s.db.WithContext(ctx) }

// translate wraps an error with what was being done and the domain's sentinel for it; nil stays nil.
func translate(doing string, err error) error {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return fmt.Errorf("%s: %w", doing, tenants.ErrNotFound)
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fmt.Errorf("%s: %w", doing, tenants.ErrConflict)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mariadb.ErrInvalidConn), errors.As(err, &network), refuses(err):
		return fmt.Errorf("%s: %w: %w", doing, tenants.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// refuses reports that the server is there but cannot serve now.
func refuses(err error) bool {
	var refusal *mariadb.MySQLError
	if !errors.As(err, &refusal) {
		return false
	}
	switch refusal.Number {
	case 1040, 1053, 1203, 1205, 1213, 1317, 1927: // full, shutting down, full for us, locked, deadlock, interrupted, killed
		return true
	}
	return false
}

// changed turns "no row matched" into ErrNotFound.
func changed(doing string, done *gorm.DB) error {
	if done.Error == nil && done.RowsAffected == 0 {
		return fmt.Errorf("%s: %w", doing, tenants.ErrNotFound)
	}
	return translate(doing, done.Error)
}

// clip cuts text that comes from elsewhere to what its column takes.
func clip(text string, signs int) string {
	text = strings.ToValidUTF8(text, "�")
	if utf8.RuneCountInString(text) <= signs {
		return text
	}
	return string([]rune(text)[:signs])
}

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
