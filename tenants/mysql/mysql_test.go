//go:build integration

package mysql_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/migrations"
	"chatiere/tenants"
	"chatiere/tenants/database"
	"chatiere/tenants/mysql"
	"chatiere/tenants/mysql/mysqltest"
)

func TestMain(m *testing.M) { os.Exit(mysqltest.Main(m)) }

// store returns a store on a fresh database with the worker's rights, and the time a test may take.
func store(t *testing.T) (context.Context, *mysql.Store) {
	t.Helper()
	ctx, s, _ := storeOn(t)
	return ctx, s
}

func storeOn(t *testing.T) (context.Context, *mysql.Store, *mysqltest.Database) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	d := mysqltest.New(t)
	db := d.Open(t, d.Migrate)
	if err := migrations.Up(ctx, db, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Grant(ctx, db, d.Name, migrations.Users{Panel: d.Panel, Worker: d.Worker}); err != nil {
		t.Fatal(err)
	}
	return ctx, as(t, d.Config(d.Worker)), d
}

func as(t *testing.T, c mysql.Config) *mysql.Store {
	t.Helper()
	s, err := mysql.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// must stops the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants reports an error that is not the one wanted.
func wants(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", doing, got, want)
	}
}

// at is an instant with microseconds, which is what the database keeps.
var at = time.Date(2026, 11, 22, 5, 4, 3, 123456000, time.UTC)

// association inserts and returns one.
func association(t *testing.T, ctx context.Context, s *mysql.Store, slug string) tenants.Association {
	t.Helper()
	a := tenants.Association{ID: tenants.NewAssociationID(), Slug: slug, Name: "Asso " + slug, State: tenants.AssociationActive, CreatedAt: at}
	must(t, s.CreateAssociation(ctx, a))
	return a
}

// site inserts and returns one.
func site(t *testing.T, ctx context.Context, s *mysql.Store, a tenants.Association, host string) tenants.Site {
	t.Helper()
	x := newSite(a, host)
	must(t, s.CreateSite(ctx, &x))
	return x
}

func newSite(a tenants.Association, host string) tenants.Site {
	return tenants.Site{
		ID: tenants.NewSiteID(), AssociationID: a.ID, Template: "wordpress", Name: "Site " + host,
		Host: host, State: tenants.StateCreating, AdminEmail: "a@lilas.example", CreatedAt: at,
	}
}

func TestADatabaseThatIsDownStopsNothingFromStarting(t *testing.T) {
	ctx := context.Background()
	s := as(t, mysql.Config{Config: database.Config{
		Socket: filepath.Join(t.TempDir(), "none.sock"), Database: "x", User: "x", Log: slog.New(slog.DiscardHandler),
	}})
	_, err := s.Site(ctx, "s000000000")
	wants(t, "reading a site", err, tenants.ErrUnavailable)
	wants(t, "pinging", s.Ping(ctx), tenants.ErrUnavailable)
	wants(t, "a transaction", s.Transact(ctx, func(context.Context) error { return nil }), tenants.ErrUnavailable)
}

func TestAConnectionTheServerCutsIsReplaced(t *testing.T) {
	ctx, s, d := storeOn(t)
	must(t, s.Ping(ctx))
	root := mysqltest.Start(t).Root(t)
	if _, err := root.ExecContext(ctx, "KILL HARD CONNECTION USER "+d.Worker+"@localhost"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Associations(ctx); err != nil {
		t.Errorf("the first query after the cut: %v", err)
	}
}

func TestAConnectionCutInsideATransactionSaysUnavailable(t *testing.T) {
	ctx, s, d := storeOn(t)
	root := mysqltest.Start(t).Root(t)
	err := s.Transact(ctx, func(ctx context.Context) error {
		association(t, ctx, s, "lilas")
		if _, err := root.ExecContext(ctx, "KILL HARD CONNECTION USER "+d.Worker+"@localhost"); err != nil {
			return err
		}
		_, err := s.Associations(ctx)
		return err
	})
	wants(t, "the transaction", err, tenants.ErrUnavailable)
	_, err = s.AssociationBySlug(ctx, "lilas")
	wants(t, "what it wrote", err, tenants.ErrNotFound)
}

func TestTheLogTellsOfSlowQueriesWithoutTheirValuesAndOfNoErrors(t *testing.T) {
	ctx, _, d := storeOn(t)
	var lines bytes.Buffer
	c := d.Config(d.Worker)
	c.Log = slog.New(slog.NewTextHandler(&lines, nil))
	s := as(t, c)
	a := association(t, ctx, s, "lilas")
	wants(t, "the same again", s.CreateAssociation(ctx, a), tenants.ErrConflict)
	if lines.Len() > 0 {
		t.Errorf("quick queries and returned errors left %s", &lines)
	}
	locked, waited := make(chan struct{}), make(chan error, 1)
	named := a
	named.Name = "a value"
	go func() {
		<-locked
		waited <- s.UpdateAssociation(ctx, named)
	}()
	must(t, s.Transact(ctx, func(ctx context.Context) error {
		err := s.UpdateAssociation(ctx, a)
		close(locked)
		time.Sleep(400 * time.Millisecond) // what makes the other one slow
		return err
	}))
	must(t, <-waited)
	if got := lines.String(); !strings.Contains(got, "slow query") || !strings.Contains(got, "UPDATE `associations`") || strings.Contains(got, "a value") {
		t.Errorf("a slow query left %q", got)
	}
}

func TestTheClockAgreesWithOurs(t *testing.T) {
	ctx, s := store(t)
	now, err := s.Clock(ctx)
	must(t, err)
	if d := time.Since(now).Abs(); d > 5*time.Second || now.Location() != time.UTC {
		t.Errorf("the database's clock says %v, %v from ours", now, d)
	}
}
