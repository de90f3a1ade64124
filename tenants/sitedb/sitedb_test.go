//go:build integration

package sitedb_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	connection "chatiere/tenants/database"
	"chatiere/tenants/mysql/mysqltest"
	"chatiere/tenants/provision"
	"chatiere/tenants/sitedb"
)

func TestMain(m *testing.M) {
	mysqltest.Profile = "sites"
	os.Exit(mysqltest.Main(m))
}

const (
	password = "a-password_of-32-signs-0123456789"
	renewed  = "another-one_of-32-signs-012345678"
)

type bench struct {
	*sitedb.Server
	ctx      context.Context
	server   *mysqltest.Server
	root     *sql.DB
	instance string
}

// open returns the sites' server as the worker sees it: through an account with AdminStatements' rights alone.
func open(t *testing.T) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	server := mysqltest.Start(t)
	b := &bench{ctx: ctx, server: server, root: server.Root(t), instance: "t" + strings.ToLower(rand.Text()[:8])}
	admin := "admin_" + b.instance
	statements, err := sitedb.AdminStatements(admin, password)
	must(t, err)
	b.run(t, append(statements, statements...)...) // as often as it likes
	t.Cleanup(func() { b.run(t, "DROP USER "+admin+"@localhost") })
	b.Server = b.as(t, admin, b.instance)
	return b
}

func (b *bench) as(t *testing.T, user, instance string) *sitedb.Server {
	t.Helper()
	s, err := sitedb.Open(sitedb.Options{
		Socket: b.server.Socket, User: user, Password: password, Instance: instance, MaxConnections: 3, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (b *bench) run(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := b.root.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// site makes a database for a fresh site and removes it with the test.
func (b *bench) site(t *testing.T) string {
	t.Helper()
	name := tenants.DatabaseName(tenants.NewSiteID(), 1)
	must(t, b.Ensure(b.ctx, name, "01op", password))
	t.Cleanup(func() {
		b.run(t, "DROP DATABASE IF EXISTS "+name, "DROP USER IF EXISTS "+name+"@localhost")
	})
	return name
}

// application connects as a site does.
func (b *bench) application(t *testing.T, name, secret, schema string) *sql.DB {
	t.Helper()
	db, err := connection.Connect(connection.Config{
		Socket: b.server.Socket, User: name, Password: secret, Database: schema, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (b *bench) exists(t *testing.T, name string, database, user bool) {
	t.Helper()
	if d, u, err := b.Exists(b.ctx, name); err != nil || d != database || u != user {
		t.Errorf("%s: database %v, user %v (%v); want %v, %v", name, d, u, err, database, user)
	}
}

func TestASiteCanDoWhatItNeedsInItsDatabaseAndNothingElsewhere(t *testing.T) {
	b := open(t)
	name, other := b.site(t), b.site(t)
	wildcard := strings.Replace(name, "_", "x", 1) // what an underscore in a grant would let in
	b.run(t, "CREATE DATABASE "+wildcard)
	t.Cleanup(func() { b.run(t, "DROP DATABASE "+wildcard) })
	db := b.application(t, name, password, name)
	for _, allowed := range []string{
		"CREATE TABLE posts (id INT PRIMARY KEY AUTO_INCREMENT, title VARCHAR(50)) ENGINE=InnoDB",
		"INSERT INTO posts (title) VALUES ('été 🌸')",
		"ALTER TABLE posts ADD COLUMN x INT, ADD INDEX (title)",
		"CREATE TABLE likes (post INT, FOREIGN KEY (post) REFERENCES posts (id))",
		"LOCK TABLES posts WRITE", "UNLOCK TABLES",
		"CREATE VIEW titles AS SELECT title FROM posts",
		"UPDATE posts SET x = 1", "DELETE FROM likes", "DROP TABLE likes", "TRUNCATE TABLE posts",
	} {
		if _, err := db.ExecContext(b.ctx, allowed); err != nil {
			t.Errorf("a site may not %s: %v", allowed, err)
		}
	}
	for _, refused := range []string{
		"SELECT * FROM mysql.global_priv", "CREATE TABLE " + other + ".mine (a INT)", "CREATE TABLE " + wildcard + ".mine (a INT)",
		"CREATE DATABASE site_mine", "DROP DATABASE " + other, "CREATE USER mine@localhost", "GRANT SELECT ON posts TO " + other + "@localhost",
		"SELECT 'x' INTO OUTFILE '/tmp/x'", "SET GLOBAL max_connections = 1",
		"CREATE TEMPORARY TABLE scratch (a INT)", "CREATE PROCEDURE p() SELECT 1", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "FLUSH TABLES",
	} {
		if _, err := db.ExecContext(b.ctx, refused); err == nil {
			t.Errorf("a site may %s", refused)
		}
	}
	neighbour, err := b.application(t, other, password, other).Conn(b.ctx)
	must(t, err)
	defer neighbour.Close()
	_, _ = db.ExecContext(b.ctx, "KILL USER "+other+"@localhost") // answers that it has killed nobody
	if err := neighbour.PingContext(b.ctx); err != nil {
		t.Errorf("a site ends its neighbour's connections: %v", err)
	}
	var text sql.NullString // reading files answers nothing instead of refusing
	if err := db.QueryRowContext(b.ctx, "SELECT LOAD_FILE('/etc/passwd')").Scan(&text); err != nil || text.Valid {
		t.Errorf("a site reads files: %q (%v)", text.String, err)
	}
	var seen int
	if err := db.QueryRowContext(b.ctx, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE 'site%'").Scan(&seen); err != nil || seen != 1 {
		t.Errorf("a site sees %d databases of sites (%v)", seen, err)
	}
}

func TestASiteHasAFewConnectionsAndNoMore(t *testing.T) {
	b := open(t)
	name := b.site(t)
	db := b.application(t, name, password, name)
	for i := range 3 {
		conn, err := db.Conn(b.ctx)
		if err != nil {
			t.Fatalf("connection %d: %v", i+1, err)
		}
		defer conn.Close()
	}
	if conn, err := db.Conn(b.ctx); err == nil {
		_ = conn.Close()
		t.Error("a fourth connection was let in")
	}
}

func TestEnsuringAgainPutsThingsRight(t *testing.T) {
	b := open(t)
	name := b.site(t)
	b.run(t, "CREATE TABLE "+name+".kept (a INT)", "REVOKE ALL PRIVILEGES ON `"+strings.ReplaceAll(name, "_", `\_`)+"`.* FROM "+name+"@localhost",
		"ALTER USER "+name+"@localhost ACCOUNT LOCK")
	must(t, b.Ensure(b.ctx, name, "02op", renewed))
	if _, err := b.application(t, name, renewed, name).ExecContext(b.ctx, "INSERT INTO kept VALUES (1)"); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	if err := b.application(t, name, password, name).PingContext(b.ctx); err == nil {
		t.Error("the old password still works")
	}
	b.run(t, "DROP USER "+name+"@localhost")
	b.exists(t, name, true, false)
	must(t, b.Ensure(b.ctx, name, "02op", renewed))
	b.exists(t, name, true, true)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := b.Ensure(b.ctx, name, "02op", renewed); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestDroppingEndsConnectionsAndLeavesNothing(t *testing.T) {
	b := open(t)
	name, other := b.site(t), b.site(t)
	db := b.application(t, name, password, name)
	conn, err := db.Conn(b.ctx)
	must(t, err)
	defer conn.Close()
	for _, statement := range []string{"CREATE TABLE t (a INT) ENGINE=InnoDB", "START TRANSACTION", "INSERT INTO t VALUES (1)"} {
		_, err := conn.ExecContext(b.ctx, statement)
		must(t, err)
	}
	begun := time.Now()
	must(t, b.Drop(b.ctx, name)) // the open transaction holds the table
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("dropping took %v", took)
	}
	b.exists(t, name, false, false)
	b.exists(t, other, true, true)
	if err := conn.PingContext(b.ctx); err == nil {
		t.Error("the site's connection lives on")
	}
	must(t, b.Drop(b.ctx, name))
	must(t, b.Ensure(b.ctx, name, "01op", password))
	b.run(t, "DROP DATABASE "+name) // a predecessor died between the two
	b.exists(t, name, false, true)
	must(t, b.Drop(b.ctx, name))
	b.exists(t, name, false, false)
}

func TestDatabasesOfOthersAreNotTouched(t *testing.T) {
	b := open(t)
	name := b.site(t)
	stranger := b.as(t, "admin_"+b.instance, "stranger")
	wants(t, "dropping another instance's", stranger.Drop(b.ctx, name), tenants.ErrConflict)
	wants(t, "ensuring another instance's", stranger.Ensure(b.ctx, name, "01op", renewed), tenants.ErrConflict)
	b.exists(t, name, true, true)
	if err := b.application(t, name, password, name).PingContext(b.ctx); err != nil {
		t.Errorf("the owner's password was changed: %v", err)
	}
	b.run(t, "ALTER DATABASE "+name+" COMMENT 'by hand'")
	wants(t, "dropping one without a mark", b.Drop(b.ctx, name), tenants.ErrConflict)
}

// A server that is killed while it drops or makes a database comes back without the file that holds its mark.
func TestWhatAnInterruptedDropHasLeftIsDropped(t *testing.T) {
	b := open(t)
	name := b.site(t)
	b.run(t, "CREATE TABLE "+name+".t (a INT) ENGINE=InnoDB", "ALTER DATABASE "+name+" COMMENT ''")
	wants(t, "dropping what is unmarked and not empty", b.Drop(b.ctx, name), tenants.ErrConflict)
	b.exists(t, name, true, true)
	wants(t, "ensuring what is unmarked and not empty", b.Ensure(b.ctx, name, "01op", password), tenants.ErrConflict)
	b.run(t, "DROP TABLE "+name+".t")
	must(t, b.Ensure(b.ctx, name, "01op", password)) // or made
	var mark string
	must(t, b.root.QueryRowContext(b.ctx, "SELECT schema_comment FROM information_schema.schemata WHERE schema_name = ?", name).Scan(&mark))
	if mark != "chatiere:"+b.instance+":01op" {
		t.Errorf("it bears the mark %q", mark)
	}
	b.run(t, "ALTER DATABASE "+name+" COMMENT ''")
	must(t, b.Drop(b.ctx, name))
	b.exists(t, name, false, false)

	foreign := b.site(t)
	b.run(t, "ALTER DATABASE "+foreign+" COMMENT 'chatiere:other:01op'")
	wants(t, "dropping another instance's empty one", b.Drop(b.ctx, foreign), tenants.ErrConflict)
	b.exists(t, foreign, true, true)
}

// Until a database is empty it keeps its mark: it is emptied by hand, whatever is in it.
func TestTablesThatHoldEachOtherAndViewsAreDropped(t *testing.T) {
	b := open(t)
	name := b.site(t)
	b.run(t, "CREATE TABLE "+name+".parent (a INT PRIMARY KEY) ENGINE=InnoDB",
		"CREATE TABLE "+name+".`odd``name` (a INT, FOREIGN KEY (a) REFERENCES "+name+".parent (a)) ENGINE=InnoDB",
		"CREATE VIEW "+name+".v AS SELECT a FROM "+name+".parent")
	must(t, b.Empty(b.ctx, name))
	var left int
	must(t, b.root.QueryRowContext(b.ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?", name).Scan(&left))
	if left != 0 {
		t.Errorf("%d tables and views are left", left)
	}
	must(t, b.Drop(b.ctx, name))
	b.exists(t, name, false, false)
}

func TestNamesAreNeverPutIntoStatementsUnchecked(t *testing.T) {
	b := open(t)
	good := tenants.DatabaseName("s000000000", 1)
	for _, bad := range []string{"", "mysql", "site_", "site_s00000000", "site_s000000000`; DROP DATABASE mysql; --", "SITE_S000000000", "site_s000000000\n"} {
		wants(t, fmt.Sprintf("dropping %q", bad), b.Drop(b.ctx, bad), tenants.ErrInvalid)
		wants(t, fmt.Sprintf("making %q", bad), b.Ensure(b.ctx, bad, "01op", password), tenants.ErrInvalid)
	}
	wants(t, "a password with a quote", b.Ensure(b.ctx, good, "01op", "0123456789abcdef'"), tenants.ErrInvalid)
	wants(t, "a short password", b.Ensure(b.ctx, good, "01op", "short"), tenants.ErrInvalid)
	wants(t, "an operation with a quote", b.Ensure(b.ctx, good, "01'op", password), tenants.ErrInvalid)
	if _, err := sitedb.Open(sitedb.Options{Instance: "a:b"}); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("an instance with a colon: %v", err)
	}
	if _, err := sitedb.AdminStatements("x'@'%", password); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("an account with a quote: %v", err)
	}
	b.exists(t, good, false, false)
}

func TestSizeGrowsWithTheTables(t *testing.T) {
	b := open(t)
	name := b.site(t)
	if size, err := b.Size(b.ctx, name); err != nil || size != 0 {
		t.Errorf("an empty database takes %d (%v)", size, err)
	}
	b.run(t, "CREATE TABLE "+name+".t (a LONGBLOB) ENGINE=InnoDB", "INSERT INTO "+name+".t VALUES (REPEAT('x', 3000000))",
		"ANALYZE TABLE "+name+".t")
	if size, err := b.Size(b.ctx, name); err != nil || size < 3000000 {
		t.Errorf("three megabytes take %d (%v)", size, err)
	}
	_, err := b.Size(b.ctx, "site_s000000000")
	wants(t, "measuring one that is not there", err, tenants.ErrNotFound)
}

func TestListTellsDatabasesAndUsersOfEverySite(t *testing.T) {
	b := open(t)
	whole, database, user := b.site(t), b.site(t), b.site(t)
	b.run(t, "DROP USER "+database+"@localhost", "DROP DATABASE "+user)
	found, err := b.List(b.ctx)
	must(t, err)
	got := map[string]provision.FoundDatabase{}
	for _, f := range found {
		got[f.Name] = f
	}
	for _, want := range []provision.FoundDatabase{
		{Name: whole, Database: true, User: true, Instance: b.instance, Operation: "01op"},
		{Name: database, Database: true, Instance: b.instance, Operation: "01op"},
		{Name: user, User: true},
	} {
		if got[want.Name] != want {
			t.Errorf("got %+v, want %+v", got[want.Name], want)
		}
	}
}

func TestAServerThatIsDownIsUnavailable(t *testing.T) {
	s, err := sitedb.Open(sitedb.Options{
		Socket: filepath.Join(t.TempDir(), "none.sock"), User: "x", Instance: "x", Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	name := tenants.DatabaseName("s000000000", 1)
	wants(t, "pinging", s.Ping(t.Context()), tenants.ErrUnavailable)
	wants(t, "making", s.Ensure(t.Context(), name, "01op", password), tenants.ErrUnavailable)
	wants(t, "dropping", s.Drop(t.Context(), name), tenants.ErrUnavailable)
	_, err = s.Size(t.Context(), name)
	wants(t, "measuring", err, tenants.ErrUnavailable)
	_, err = s.List(t.Context())
	wants(t, "listing", err, tenants.ErrUnavailable)
}

func TestAnAccountThatIsNotAcceptedOrMayNotIsRefused(t *testing.T) {
	b := open(t)
	name := tenants.DatabaseName(tenants.NewSiteID(), 1)
	poor := "poor_" + b.instance
	b.run(t, "CREATE USER "+poor+"@localhost IDENTIFIED BY '"+password+"'")
	t.Cleanup(func() { b.run(t, "DROP USER "+poor+"@localhost") })
	wants(t, "an account without rights", b.as(t, poor, b.instance).Ensure(b.ctx, name, "01op", password), tenants.ErrRefused)
	wants(t, "an unknown account", b.as(t, "nobody_at_all", b.instance).Ping(b.ctx), tenants.ErrRefused)
	b.run(t, "ALTER USER "+poor+"@localhost IDENTIFIED BY '"+renewed+"'")
	_, err := b.as(t, poor, b.instance).List(b.ctx)
	wants(t, "another password", err, tenants.ErrRefused)
	b.run(t, "ALTER USER "+poor+"@localhost IDENTIFIED BY '"+password+"' ACCOUNT LOCK")
	wants(t, "a locked account", b.as(t, poor, b.instance).Drop(b.ctx, name), tenants.ErrRefused)
}
