package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode/utf8"

	mariadb "github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"chatiere/tenants"
)

// Error numbers of MariaDB. The server has rolled back the transaction, or we do, and the same work may well succeed now.
var again = []uint16{
	1020, // record has changed since last read (snapshot isolation)
	1205, // lock wait timeout
	1213, // deadlock
}

// The server is there but cannot serve, or has just gone.
var away = []uint16{
	1040,                   // too many connections
	1053,                   // shutdown in progress
	1158, 1159, 1160, 1161, // network errors as the server saw them
	1203, // too many connections of this user
	1317, // query interrupted
	1927, // connection killed
	1969, // statement took too long
}

// The server has no room left.
var full = []uint16{
	1021, // disk full, waiting for somebody to make room
	1114, // the table is full: its file cannot grow
}

// What was asked for or written does not fit its column.
const (
	illegalMix     = 1267 // comparing a column of plain signs with others: nothing there can be equal to it
	incorrectValue = 1366
	tooLong        = 1406
)

// Translate wraps an error with what was being done and the domain's sentinel for it; nil stays nil.
func Translate(doing string, err error) error {
	if err == nil {
		return nil
	}
	if sentinel := sentinelOf(err); sentinel != nil && !errors.Is(err, sentinel) {
		return fmt.Errorf("%s: %w: %w", doing, sentinel, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func sentinelOf(err error) error {
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil // the asker's own doing
	case errors.Is(err, gorm.ErrRecordNotFound), errors.Is(err, sql.ErrNoRows), Numbered(err, illegalMix):
		return tenants.ErrNotFound
	case errors.Is(err, gorm.ErrDuplicatedKey), errors.Is(err, gorm.ErrForeignKeyViolated):
		return tenants.ErrConflict
	case Numbered(err, incorrectValue, tooLong):
		return tenants.ErrInvalid
	case Numbered(err, full...):
		return tenants.ErrDiskFull
	case Numbered(err, again...), Numbered(err, away...),
		errors.Is(err, driver.ErrBadConn), errors.Is(err, mariadb.ErrInvalidConn), errors.As(err, &network):
		return tenants.ErrUnavailable
	}
	return nil
}

// Numbered reports whether the server refused with one of these error numbers.
func Numbered(err error, numbers ...uint16) bool {
	var refusal *mariadb.MySQLError
	return errors.As(err, &refusal) && slices.Contains(numbers, refusal.Number)
}

// Changed turns "no row matched" into ErrNotFound.
func Changed(doing string, done *gorm.DB) error {
	if done.Error == nil && done.RowsAffected == 0 {
		return fmt.Errorf("%s: %w", doing, tenants.ErrNotFound)
	}
	return Translate(doing, done.Error)
}

// Clip cuts text that may be of any length (an error, a name from elsewhere) to what its column takes.
func Clip(text string, signs int) string {
	text = strings.ToValidUTF8(text, "�")
	if utf8.RuneCountInString(text) <= signs {
		return text
	}
	return string([]rune(text)[:signs-1]) + "…"
}
