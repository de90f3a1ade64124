package mysqltest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"chatiere/tenants/database"
	"chatiere/tenants/mysql"
)

// Database is a fresh, empty database with the three accounts that work with it. All have the same password.
type Database struct {
	Name     string
	Migrate  string // may do everything in it, and grant
	Panel    string // may do nothing yet
	Worker   string // may do nothing yet
	Password string

	server *Server
}

// New makes a database for one test and removes it afterwards.
func New(t testing.TB) *Database {
	t.Helper()
	s := Start(t)
	mark := strings.ToLower(rand.Text()[:10])
	d := &Database{
		Name: "test_" + mark, Migrate: "m_" + mark, Panel: "p_" + mark, Worker: "w_" + mark,
		Password: rand.Text(), server: s,
	}
	root := s.Root(t)
	statements := []string{"CREATE DATABASE " + d.Name}
	for _, user := range []string{d.Migrate, d.Panel, d.Worker} {
		statements = append(statements, fmt.Sprintf("CREATE USER %s@localhost IDENTIFIED BY '%s'", user, d.Password))
	}
	statements = append(statements, fmt.Sprintf("GRANT ALL PRIVILEGES ON %s.* TO %s@localhost WITH GRANT OPTION", d.Name, d.Migrate))
	run(t, root, statements...)
	t.Cleanup(func() {
		run(t, root, "DROP DATABASE "+d.Name,
			fmt.Sprintf("DROP USER %s@localhost, %s@localhost, %s@localhost", d.Migrate, d.Panel, d.Worker))
	})
	return d
}

func run(t testing.TB, pool *sql.DB, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, statement := range statements {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Open returns a connection pool of one of the database's accounts, closed with the test.
func (d *Database) Open(t testing.TB, user string) *sql.DB {
	t.Helper()
	return d.server.open(t, user, d.Password, d.Name)
}

// Config returns how the store connects as one of the accounts.
func (d *Database) Config(user string) mysql.Config {
	return mysql.Config{
		Config: database.Config{
			Socket: d.server.Socket, Database: d.Name, User: user, Password: d.Password, Log: slog.New(slog.DiscardHandler),
		},
		FirstUID: 200000, LastUID: 265535,
	}
}
