package sitedb_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/go-sql-driver/mysql"

	"chatiere/tenants"
	"chatiere/tenants/dbguard"
	"chatiere/tenants/provision"
	"chatiere/tenants/sitedb"
)

const (
	database = "site_s7k2m9qx4p"
	account  = "'site_s7k2m9qx4p'@'localhost'"
	secret   = "0123456789abcdefABCDEF"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", doing, got, want)
	}
}

// scripted returns a server whose statements are expected one by one; statements are compared by how they begin. The
// integration tests run them on a real MariaDB.
func scripted(t *testing.T, o sitedb.Options) (*sitedb.Server, sqlmock.Sqlmock) {
	t.Helper()
	begins := sqlmock.QueryMatcherFunc(func(expected, actual string) error {
		if !strings.HasPrefix(strings.TrimSpace(actual), expected) {
			return errors.New("asked for " + actual + ", expected " + expected)
		}
		return nil
	})
	pool, m, err := sqlmock.New(sqlmock.QueryMatcherOption(begins))
	must(t, err)
	t.Cleanup(func() {
		if err := m.ExpectationsWereMet(); err != nil {
			t.Error(err)
		}
		_ = pool.Close()
	})
	o.Instance = "lilas"
	return sitedb.Over(pool, o), m
}

func runs(m sqlmock.Sqlmock, statements ...string) {
	for _, s := range statements {
		m.ExpectExec(s).WillReturnResult(sqlmock.NewResult(0, 0))
	}
}

func row(values ...driver.Value) *sqlmock.Rows {
	columns := make([]string, len(values))
	return sqlmock.NewRows(columns).AddRow(values...)
}

// marked expects the question for a database's mark.
func marked(m sqlmock.Sqlmock, comment string) {
	m.ExpectQuery("SELECT schema_comment").WithArgs(database).WillReturnRows(row(comment))
}

const rest = "SELECT d.schema_comment = ''"

func TestADatabaseIsMadeWithItsUserAndNoMoreRights(t *testing.T) {
	for name, temporary := range map[string]bool{"usual": false, "with temporary tables": true} {
		s, m := scripted(t, sitedb.Options{MaxConnections: 7, Temporary: func(string) bool { return temporary }})
		runs(m, "CREATE DATABASE IF NOT EXISTS `"+database+"` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'chatiere:lilas:op1'")
		marked(m, "chatiere:lilas:op1")
		with := account + " IDENTIFIED BY '" + secret + "' WITH MAX_USER_CONNECTIONS 7"
		runs(m, "CREATE USER IF NOT EXISTS "+with, "ALTER USER "+with+" ACCOUNT UNLOCK",
			"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, LOCK TABLES, REFERENCES, CREATE VIEW, SHOW VIEW, TRIGGER ON `site\\_s7k2m9qx4p`.* TO "+account)
		if temporary {
			runs(m, "GRANT CREATE TEMPORARY TABLES ON `site\\_s7k2m9qx4p`.* TO "+account)
		}
		if err := s.Ensure(t.Context(), database, "op1", secret); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheUsualNumberOfConnectionsIsBounded(t *testing.T) {
	s, m := scripted(t, sitedb.Options{})
	runs(m, "CREATE DATABASE")
	marked(m, "chatiere:lilas:op1")
	runs(m, "CREATE USER IF NOT EXISTS "+account+" IDENTIFIED BY '"+secret+"' WITH MAX_USER_CONNECTIONS 20", "ALTER USER", "GRANT")
	must(t, s.Ensure(t.Context(), database, "op1", secret))
}

func TestNothingThatCouldEndAStatementGetsIntoOne(t *testing.T) {
	s, _ := scripted(t, sitedb.Options{}) // no statement is expected
	for _, c := range [][3]string{
		{"mysql", "op1", secret}, {database + "`", "op1", secret}, {database, "op'1", secret}, {database, "", secret}, {database, "op1", "short"},
		{database, "op1", secret + "'"},
	} {
		wants(t, strings.Join(c[:], " "), s.Ensure(t.Context(), c[0], c[1], c[2]), tenants.ErrInvalid)
	}
	for _, name := range []string{"mysql", database + "'", "site_s7k2m9qx4p_0", "", "xsite_s7k2m9qx4p"} {
		for doing, do := range map[string]func(context.Context, string) error{"drop": s.Drop, "kill": s.Kill, "lock": s.Lock, "unlock": s.Unlock} {
			wants(t, doing+" "+name, do(t.Context(), name), tenants.ErrInvalid)
		}
	}
	if _, err := sitedb.Open(sitedb.Options{Instance: "a'b"}); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("an instance's name that is none: %v", err)
	}
	for _, c := range [][2]string{{"us'er", secret}, {"user", "pass'word0123456789"}} {
		if _, err := sitedb.AdminStatements(c[0], c[1]); !errors.Is(err, tenants.ErrInvalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if got, err := sitedb.AdminStatements("admin", secret); err != nil || len(got) == 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestADatabaseOfSomebodyElseIsLeftAlone(t *testing.T) {
	for _, comment := range []string{"chatiere:other:op1", "", "lilas", "chatiere:lilas", "other:lilas:op1"} {
		s, m := scripted(t, sitedb.Options{})
		runs(m, "CREATE DATABASE")
		marked(m, comment)
		m.ExpectQuery(rest).WithArgs(database).WillReturnRows(row(false))
		wants(t, "making it over "+comment, s.Ensure(t.Context(), database, "op1", secret), tenants.ErrConflict)
		marked(m, comment)
		m.ExpectQuery(rest).WithArgs(database).WillReturnRows(row(false))
		wants(t, "dropping "+comment, s.Drop(t.Context(), database), tenants.ErrConflict)
	}
}

func TestWhatAKilledServerLeftIsTakenUp(t *testing.T) {
	s, m := scripted(t, sitedb.Options{})
	runs(m, "CREATE DATABASE")
	marked(m, "")
	m.ExpectQuery(rest).WillReturnRows(row(true))
	runs(m, "ALTER DATABASE `"+database+"` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'chatiere:lilas:op1'", "CREATE USER", "ALTER USER", "GRANT")
	must(t, s.Ensure(t.Context(), database, "op1", secret))
}

func TestADatabaseIsEmptiedBeforeItIsDropped(t *testing.T) {
	for name, user := range map[string]bool{"with its user": true, "whose user is gone": false} {
		s, m := scripted(t, sitedb.Options{})
		marked(m, "chatiere:lilas:op1")
		m.ExpectQuery("SELECT\n  EXISTS").WithArgs(database, database).WillReturnRows(row(true, user))
		if user {
			runs(m, "ALTER USER IF EXISTS "+account+" ACCOUNT LOCK", "KILL HARD CONNECTION USER "+account)
		}
		m.ExpectQuery("SELECT table_name").WithArgs(database).WillReturnRows(sqlmock.NewRows([]string{"", ""}).AddRow("po`sts", false).AddRow("latest", true))
		runs(m, "SET STATEMENT foreign_key_checks = 0 FOR DROP TABLE IF EXISTS `"+database+"`.`po``sts`",
			"SET STATEMENT foreign_key_checks = 0 FOR DROP VIEW IF EXISTS `"+database+"`.`latest`",
			"DROP DATABASE IF EXISTS `"+database+"`", "DROP USER IF EXISTS "+account)
		if err := s.Drop(t.Context(), database); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheFirstStatementThatFailsEndsTheWork(t *testing.T) {
	locked := &mysql.MySQLError{Number: 1205, Message: "lock wait timeout"}
	steps := []func(m sqlmock.Sqlmock, err error){
		func(m sqlmock.Sqlmock, err error) { m.ExpectExec("CREATE DATABASE").WillReturnError(err) },
		func(m sqlmock.Sqlmock, err error) { m.ExpectQuery("SELECT schema_comment").WillReturnError(err) },
		func(m sqlmock.Sqlmock, err error) { m.ExpectExec("CREATE USER").WillReturnError(err) },
		func(m sqlmock.Sqlmock, err error) { m.ExpectExec("ALTER USER").WillReturnError(err) },
		func(m sqlmock.Sqlmock, err error) { m.ExpectExec("GRANT").WillReturnError(err) },
	}
	for fails := range steps {
		s, m := scripted(t, sitedb.Options{})
		for n, step := range steps[:fails+1] {
			switch {
			case n == fails:
				step(m, locked)
			case n == 1:
				marked(m, "chatiere:lilas:op1")
			default:
				runs(m, []string{"CREATE DATABASE", "", "CREATE USER", "ALTER USER"}[n])
			}
		}
		if fails == 1 { // the mark is unknown, and whether it is a rest as well
			m.ExpectQuery(rest).WillReturnError(locked)
		}
		err := s.Ensure(t.Context(), database, "op1", secret)
		wants(t, "a failure in the middle", err, tenants.ErrUnavailable)
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	drops := []string{"ALTER USER IF EXISTS", "KILL HARD", "SELECT table_name", "DROP DATABASE", "DROP USER"}
	for fails, text := range drops {
		s, m := scripted(t, sitedb.Options{})
		marked(m, "chatiere:lilas:op1")
		m.ExpectQuery("SELECT\n  EXISTS").WillReturnRows(row(true, true))
		for _, before := range drops[:fails] {
			if strings.HasPrefix(before, "SELECT") {
				m.ExpectQuery(before).WillReturnRows(sqlmock.NewRows([]string{"", ""}))
			} else {
				runs(m, before)
			}
		}
		if strings.HasPrefix(text, "SELECT") {
			m.ExpectQuery(text).WillReturnError(locked)
		} else {
			m.ExpectExec(text).WillReturnError(locked)
		}
		wants(t, "dropping, when "+text+" fails", s.Drop(t.Context(), database), tenants.ErrUnavailable)
	}
}

func TestFailuresOfTheServerAreToldByTheirKind(t *testing.T) {
	for number, want := range map[uint16]error{
		1040: tenants.ErrUnavailable, 1053: tenants.ErrUnavailable, 1213: tenants.ErrUnavailable, 1021: tenants.ErrDiskFull, 1114: tenants.ErrDiskFull,
		1044: tenants.ErrRefused, 1045: tenants.ErrRefused, 1142: tenants.ErrRefused, 4151: tenants.ErrRefused,
	} {
		s, m := scripted(t, sitedb.Options{})
		m.ExpectExec("KILL HARD CONNECTION USER " + account).WillReturnError(&mysql.MySQLError{Number: number})
		wants(t, "a statement", s.Kill(t.Context(), database), want)
		for doing, ask := range map[string]func() error{
			"SELECT\n  EXISTS": func() error { _, _, err := s.Exists(t.Context(), database); return err },
			"SELECT SUM":       func() error { _, err := s.Size(t.Context(), database); return err },
			"SELECT name":      func() error { _, err := s.List(t.Context()); return err },
			"SELECT p.USER":    func() error { _, err := s.Loads(t.Context()); return err },
			"SELECT User":      func() error { return s.GrantTemporary(t.Context(), func(string) bool { return true }) },
		} {
			m.ExpectQuery(doing).WillReturnError(&mysql.MySQLError{Number: number})
			wants(t, doing, ask(), want)
			m.ExpectQuery(doing).WillReturnRows(row("what", "nobody", "asked for", 1, 2, 3, 4, 5))
			if ask() == nil {
				t.Errorf("%s: rows that cannot be read are no error", doing)
			}
		}
	}
	s, m := scripted(t, sitedb.Options{})
	m.ExpectExec("KILL").WillReturnError(context.Canceled)
	if err := s.Kill(t.Context(), database); !errors.Is(err, context.Canceled) || errors.Is(err, tenants.ErrUnavailable) {
		t.Errorf("the asker's own doing: %v", err)
	}
	m.ExpectExec("KILL").WillReturnError(mysql.ErrInvalidConn)
	wants(t, "a connection that broke", s.Kill(t.Context(), database), tenants.ErrUnavailable)
	gone, err := sitedb.Open(sitedb.Options{Instance: "lilas", Socket: filepath.Join(t.TempDir(), "no.sock"), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	wants(t, "a server that is down", gone.Ping(t.Context()), tenants.ErrUnavailable)
	must(t, gone.Close())
}

func TestDatabasesAreListedMeasuredAndFound(t *testing.T) {
	s, m := scripted(t, sitedb.Options{})
	m.ExpectQuery("SELECT\n  EXISTS").WithArgs(database, database).WillReturnRows(row(true, false))
	if there, user, err := s.Exists(t.Context(), database); err != nil || !there || user {
		t.Errorf("database %v, user %v, %v", there, user, err)
	}
	m.ExpectQuery("SELECT SUM").WithArgs(database).WillReturnRows(row(4096))
	if size, err := s.Size(t.Context(), database); err != nil || size != 4096 {
		t.Errorf("%d bytes, %v", size, err)
	}
	m.ExpectQuery("SELECT SUM").WillReturnRows(sqlmock.NewRows([]string{""}))
	_, err := s.Size(t.Context(), database)
	wants(t, "one that is not there", err, tenants.ErrNotFound)
	m.ExpectQuery("SELECT name").WillReturnRows(sqlmock.NewRows([]string{"", "", "", ""}).
		AddRow(database, true, true, "chatiere:lilas:op1").AddRow("site_sother0000", false, true, "somebody's"))
	want := []provision.FoundDatabase{
		{Name: database, Database: true, User: true, Instance: "lilas", Operation: "op1"}, {Name: "site_sother0000", User: true},
	}
	if got, err := s.List(t.Context()); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatSitesDoIsToldInOurUnits(t *testing.T) {
	s, m := scripted(t, sitedb.Options{})
	m.ExpectQuery("SELECT p.USER").WillReturnRows(sqlmock.NewRows([]string{"", "", "", "", "", "", ""}).
		AddRow(database, 3, 2, 1000, 2000, 1500.5, 90).AddRow("site_sother0000", 1, 0, 10, 0, nil, nil))
	want := []dbguard.Load{
		{Database: database, Connections: 3, Statements: 2, Memory: 1000, Temporary: 2000, Running: 1500500 * time.Microsecond, Transaction: 90 * time.Second},
		{Database: "site_sother0000", Connections: 1, Memory: 10},
	}
	if got, err := s.Loads(t.Context()); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestASiteIsLockedOutAndLetInAgain(t *testing.T) {
	s, m := scripted(t, sitedb.Options{})
	runs(m, "ALTER USER IF EXISTS "+account+" ACCOUNT LOCK", "KILL HARD CONNECTION USER "+account, "ALTER USER IF EXISTS "+account+" ACCOUNT UNLOCK")
	must(t, s.Lock(t.Context(), database))
	must(t, s.Unlock(t.Context(), database))
}

func TestTemporaryTablesAreGrantedToThoseAloneWhoMay(t *testing.T) {
	s, m := scripted(t, sitedb.Options{})
	m.ExpectQuery("SELECT User").WillReturnRows(sqlmock.NewRows([]string{"", ""}).
		AddRow("site_smay000000", false).AddRow("site_shas000000", true).AddRow("site_sboth00000", true).AddRow("site_sno0000000", false).AddRow("site_s'; DROP", false))
	runs(m, "GRANT CREATE TEMPORARY TABLES ON `site\\_smay000000`.* TO 'site_smay000000'@'localhost'",
		"REVOKE CREATE TEMPORARY TABLES ON `site\\_shas000000`.* FROM 'site_shas000000'@'localhost'")
	must(t, s.GrantTemporary(t.Context(), func(name string) bool { return name != "site_shas000000" && name != "site_sno0000000" }))
}
