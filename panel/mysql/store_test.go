//go:build integration

package mysql_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"chatiere/migrations"
	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
	"chatiere/panel/mysql"
	"chatiere/tenants"
	"chatiere/tenants/database"
	"chatiere/tenants/mysql/mysqltest"
)

func TestMain(m *testing.M) { os.Exit(mysqltest.Main(m)) }

// store returns one on a fresh database with the panel's rights and no others.
func store(t *testing.T) (*mysql.Store, *mysqltest.Database) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d := mysqltest.New(t)
	db, log := d.Open(t, d.Migrate), slog.New(slog.DiscardHandler)
	if err := migrations.Up(ctx, db, log); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Grant(ctx, db, d.Name, migrations.Users{Panel: d.Panel, Worker: d.Worker}); err != nil {
		t.Fatal(err)
	}
	return over(t, d.Config(d.Panel).Config), d
}

func over(t *testing.T, c database.Config) *mysql.Store {
	t.Helper()
	db, err := database.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return mysql.New(db)
}

func TestTheStoreInMariaDBKeepsTheContract(t *testing.T) {
	authtest.Contract(t, func(t *testing.T) auth.Store {
		s, _ := store(t)
		return s
	})
}

func TestTheWorkerCannotReadSessionsAndTokens(t *testing.T) {
	_, d := store(t)
	s := over(t, d.Config(d.Worker).Config)
	if _, err := s.Session(t.Context(), auth.Hash{}); err == nil || errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("reading a session as the worker: %v, want a refusal", err)
	}
	if _, err := s.Tokens(t.Context(), auth.Owner{}); err == nil {
		t.Error("the worker lists tokens")
	}
}

func TestALongNameIsCutRatherThanKeepingItsOwnerOut(t *testing.T) {
	s, _ := store(t)
	x := authtest.NewSession("lea")
	x.Name = strings.Repeat("é", 400)
	if err := s.InsertSession(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	got, err := s.Session(t.Context(), x.Hash)
	if err != nil || got.Name != strings.Repeat("é", 254)+"…" {
		t.Errorf("name came back with %d bytes, %v", len(got.Name), err)
	}
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	s := over(t, database.Config{Socket: "/nonexistent/mysqld.sock", Database: "x", User: "x", Log: slog.New(slog.DiscardHandler)})
	if _, err := s.Session(t.Context(), auth.Hash{}); !errors.Is(err, tenants.ErrUnavailable) {
		t.Errorf("reading without a database: %v, want %v", err, tenants.ErrUnavailable)
	}
}
