package migrations_test

import (
	"database/sql/driver"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/go-sql-driver/mysql"

	"chatiere/migrations"
)

// schemaOf is what a scripted database answers to the questions of a starter, in their order.
type schemaOf struct {
	recorded []int64
	pending  []driver.Value // version and checksum; nil: none
	missing  string         // a table that is not there
	more     string         // one that is
}

// whole is a database with every migration of this program.
func whole(t *testing.T) schemaOf {
	t.Helper()
	db, _, err := sqlmock.New()
	if err != nil {
		t.Fatal(err)
	}
	p, err := migrations.NewProvider(db)
	if err != nil {
		t.Fatal(err)
	}
	var s schemaOf
	for _, source := range p.ListSources() {
		s.recorded = append(s.recorded, source.Version)
	}
	return s
}

func (s schemaOf) tables() *sqlmock.Rows {
	rows := sqlmock.NewRows([]string{""}).AddRow("goose_db_version").AddRow("schema_pending")
	for _, table := range migrations.Tables(s.recorded) {
		if table != s.missing {
			rows.AddRow(table)
		}
	}
	if s.more != "" {
		rows.AddRow(s.more)
	}
	return rows
}

func (s schemaOf) versions() *sqlmock.Rows {
	rows := sqlmock.NewRows([]string{""})
	for _, v := range s.recorded {
		rows.AddRow(v)
	}
	return rows
}

// asked scripts a starter's questions up to its decision.
func (s schemaOf) asked(m sqlmock.Sqlmock) {
	m.ExpectQuery("GET_LOCK").WillReturnRows(sqlmock.NewRows([]string{""}).AddRow(1))
	for _, made := range []string{"CREATE TABLE IF NOT EXISTS goose_db_version", "INSERT INTO goose_db_version", "CREATE TABLE IF NOT EXISTS schema_pending"} {
		m.ExpectExec(made).WillReturnResult(sqlmock.NewResult(0, 0))
	}
	m.ExpectQuery("information_schema.tables").WillReturnRows(s.tables())
	m.ExpectQuery("SELECT version_id").WillReturnRows(s.versions())
	begun := sqlmock.NewRows([]string{"", ""})
	if s.pending != nil {
		begun.AddRow(s.pending...)
	}
	m.ExpectQuery("SELECT version, sum FROM schema_pending").WillReturnRows(begun)
	m.ExpectQuery("information_schema.tables").WillReturnRows(s.tables())
}

// up starts on a scripted database.
func upOn(t *testing.T, script func(m sqlmock.Sqlmock)) error {
	t.Helper()
	db, m, err := sqlmock.New()
	if err != nil {
		t.Fatal(err)
	}
	script(m)
	err = migrations.Up(t.Context(), db, slog.New(slog.DiscardHandler))
	if left := m.ExpectationsWereMet(); left != nil && err == nil {
		t.Error(left)
	}
	return err
}

func unlocks(m sqlmock.Sqlmock) {
	m.ExpectExec("DO RELEASE_LOCK").WillReturnResult(sqlmock.NewResult(0, 0))
}

func TestAWholeSchemaIsLeftAsItIs(t *testing.T) {
	s := whole(t)
	err := upOn(t, func(m sqlmock.Sqlmock) {
		s.asked(m)
		m.ExpectQuery("information_schema.tables").WillReturnRows(s.tables())
		m.ExpectQuery("SELECT version_id").WillReturnRows(s.versions())
		unlocks(m)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnInterruptedMigrationThatWasRecordedIsForgotten(t *testing.T) {
	s := whole(t)
	s.pending = []driver.Value{s.recorded[3], migrations.Sum(s.recorded[3])}
	err := upOn(t, func(m sqlmock.Sqlmock) {
		s.asked(m)
		m.ExpectExec("DELETE FROM schema_pending").WithArgs(s.recorded[3]).WillReturnResult(sqlmock.NewResult(0, 1))
		m.ExpectQuery("information_schema.tables").WillReturnRows(s.tables())
		m.ExpectQuery("SELECT version_id").WillReturnRows(s.versions())
		unlocks(m)
	})
	if err != nil {
		t.Error(err)
	}
	err = upOn(t, func(m sqlmock.Sqlmock) {
		s.asked(m)
		m.ExpectExec("DELETE FROM schema_pending").WillReturnError(errors.New("lost"))
		unlocks(m)
	})
	if err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("forgetting fails: %v", err)
	}
}

func TestEachContradictionIsRefusedWithWhatToDo(t *testing.T) {
	all := whole(t)
	last := len(all.recorded) - 1
	for name, c := range map[string]struct {
		change func(*schemaOf)
		want   error
		words  string
	}{
		"interrupted under another program": {func(s *schemaOf) { s.pending = []driver.Value{int64(3), "another"} }, migrations.ErrHalfApplied, "start that version again"},
		"interrupted in one nobody knows":   {func(s *schemaOf) { s.pending = []driver.Value{int64(999), migrations.Sum(3)} }, migrations.ErrHalfApplied, "start that version again"},
		"a newer program was here":          {func(s *schemaOf) { s.recorded = append(s.recorded, 999) }, migrations.ErrNewer, "install a newer version"},
		"one is missing below newer ones":   {func(s *schemaOf) { s.recorded = slices.Delete(s.recorded, 2, 3) }, migrations.ErrHalfApplied, "is missing below newer ones"},
		"a table is gone":                   {func(s *schemaOf) { s.missing = "sites" }, migrations.ErrHalfApplied, "is gone"},
		"a table was never made": {func(s *schemaOf) {
			s.more = migrations.Tables(s.recorded)[len(migrations.Tables(s.recorded))-1]
			s.recorded = slices.DeleteFunc(s.recorded, func(v int64) bool {
				made := migrations.Tables([]int64{v})
				return v >= 200 || v < 100 && v > 80 || len(made) == 1 && made[0] == s.more
			})
		}, migrations.ErrHalfApplied, "never ran here"},
	} {
		s := schemaOf{recorded: slices.Clone(all.recorded[:last+1])}
		c.change(&s)
		err := upOn(t, func(m sqlmock.Sqlmock) {
			s.asked(m)
			unlocks(m)
		})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatAStarterCannotReadOrMakeEndsIt(t *testing.T) {
	lost := errors.New("the connection is lost")
	s := whole(t)
	type step func(m sqlmock.Sqlmock, err error)
	query := func(text string, rows func() *sqlmock.Rows) step {
		return func(m sqlmock.Sqlmock, err error) {
			if q := m.ExpectQuery(text); err != nil {
				q.WillReturnError(err)
			} else {
				q.WillReturnRows(rows())
			}
		}
	}
	exec := func(text string) step {
		return func(m sqlmock.Sqlmock, err error) {
			if e := m.ExpectExec(text); err != nil {
				e.WillReturnError(err)
			} else {
				e.WillReturnResult(sqlmock.NewResult(0, 0))
			}
		}
	}
	steps := []step{
		query("GET_LOCK", func() *sqlmock.Rows { return sqlmock.NewRows([]string{""}).AddRow(1) }),
		exec("CREATE TABLE IF NOT EXISTS goose_db_version"), exec("INSERT INTO goose_db_version"), exec("CREATE TABLE IF NOT EXISTS schema_pending"),
		query("information_schema.tables", s.tables), query("SELECT version_id", s.versions),
		query("schema_pending", func() *sqlmock.Rows { return sqlmock.NewRows([]string{"", ""}) }), query("information_schema.tables", s.tables),
		query("information_schema.tables", s.tables), query("SELECT version_id", s.versions), exec("DO RELEASE_LOCK"),
	}
	for fails := range steps {
		err := upOn(t, func(m sqlmock.Sqlmock) {
			for _, before := range steps[:fails] {
				before(m, nil)
			}
			steps[fails](m, lost)
			if fails > 0 {
				unlocks(m)
			}
		})
		if !errors.Is(err, lost) {
			t.Errorf("step %d fails: %v", fails, err)
		}
	}
}

func TestTheLockOfAnotherStarterIsWaitedForALimitedTime(t *testing.T) {
	defer migrations.SetLockWait(3 * time.Second)()
	for _, got := range []any{0, nil} {
		err := upOn(t, func(m sqlmock.Sqlmock) {
			m.ExpectQuery("GET_LOCK").WithArgs(3.0).WillReturnRows(sqlmock.NewRows([]string{""}).AddRow(got))
		})
		if !errors.Is(err, migrations.ErrLocked) {
			t.Errorf("the server answers %v: %v", got, err)
		}
	}
}

func TestRightsAreGivenAsTheTableSaysAndAllOthersTaken(t *testing.T) {
	db, m, err := sqlmock.New(sqlmock.QueryMatcherOption(sqlmock.QueryMatcherEqual))
	if err != nil {
		t.Fatal(err)
	}
	done := sqlmock.NewResult(0, 0)
	const schema = "CREATE, DROP, REFERENCES, INDEX, ALTER, TRIGGER, CREATE VIEW, SHOW VIEW, DELETE HISTORY, GRANT OPTION"
	for _, role := range []struct {
		user       string
		audit, pen string
	}{{"p", "SELECT, INSERT", ""}, {"w", "SELECT, INSERT", ""}} {
		account := " TO '" + role.user + "'@'localhost'"
		m.ExpectQuery("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'").
			WillReturnRows(sqlmock.NewRows([]string{""}).AddRow("schema_pending").AddRow("audit"))
		m.ExpectExec("GRANT SELECT, INSERT ON `d`.`audit`" + account).WillReturnResult(done)
		from := strings.Replace(account, " TO ", " FROM ", 1)
		m.ExpectExec("REVOKE UPDATE, DELETE, " + schema + " ON `d`.`audit`" + from).WillReturnError(&mysql.MySQLError{Number: 1147})
		m.ExpectExec("REVOKE SELECT, INSERT, UPDATE, DELETE, " + schema + " ON `d`.`schema_pending`" + from).WillReturnError(&mysql.MySQLError{Number: 1141})
		m.ExpectExec("REVOKE ALL PRIVILEGES ON `d`.*" + from).WillReturnResult(done)
		m.ExpectExec("REVOKE GRANT OPTION ON `d`.*" + from).WillReturnResult(done)
	}
	if err := migrations.Grant(t.Context(), db, "d", migrations.Users{Panel: "p", Worker: "w"}); err != nil {
		t.Error(err)
	}
	if err := m.ExpectationsWereMet(); err != nil {
		t.Error(err)
	}
}

func TestRightsThatCannotBeGivenOrTakenEndTheStart(t *testing.T) {
	lost := errors.New("the connection is lost")
	table := func(name string) func(m sqlmock.Sqlmock) {
		return func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT table_name").WillReturnRows(sqlmock.NewRows([]string{""}).AddRow(name))
		}
	}
	for name, script := range map[string]func(m sqlmock.Sqlmock){
		"the tables are not told": func(m sqlmock.Sqlmock) { m.ExpectQuery("SELECT table_name").WillReturnError(lost) },
		"a right is not given":    func(m sqlmock.Sqlmock) { table("audit")(m); m.ExpectExec("GRANT").WillReturnError(lost) },
		"a right is not taken":    func(m sqlmock.Sqlmock) { table("schema_pending")(m); m.ExpectExec("REVOKE").WillReturnError(lost) },
		"a right is not taken by the server's will": func(m sqlmock.Sqlmock) {
			table("schema_pending")(m)
			m.ExpectExec("REVOKE").WillReturnError(errors.Join(&mysql.MySQLError{Number: 1227}, lost))
		},
		"those on all are not taken": func(m sqlmock.Sqlmock) {
			table("schema_pending")(m)
			m.ExpectExec("REVOKE SELECT").WillReturnResult(sqlmock.NewResult(0, 0))
			m.ExpectExec("REVOKE ALL").WillReturnError(lost)
		},
	} {
		db, m, err := sqlmock.New()
		if err != nil {
			t.Fatal(err)
		}
		script(m)
		if err := migrations.Grant(t.Context(), db, "d", migrations.Users{Panel: "p", Worker: "w"}); !errors.Is(err, lost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	db, m, err := sqlmock.New()
	if err != nil {
		t.Fatal(err)
	}
	table("nobody_listed_me")(m)
	if err := migrations.Grant(t.Context(), db, "d", migrations.Users{Panel: "p", Worker: "w"}); err == nil || !strings.Contains(err.Error(), "has no row") {
		t.Errorf("a table without a row: %v", err)
	}
	for _, names := range [][3]string{{"d`", "p", "w"}, {"d", "p'", "w"}, {"d", "p", ""}} {
		if err := migrations.Grant(t.Context(), db, names[0], migrations.Users{Panel: names[1], Worker: names[2]}); err == nil {
			t.Errorf("%q are taken for names", names)
		}
	}
}
