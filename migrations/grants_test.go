//go:build integration

package migrations_test

import (
	"context"
	"database/sql"
	"testing"

	"chatiere/migrations"
	"chatiere/tenants/mysql/mysqltest"
)

// granted brings up a seeded database whose panel and worker have their rights.
func granted(t *testing.T) (context.Context, *sql.DB, *mysqltest.Database) {
	t.Helper()
	ctx, db, d := open(t)
	up(t, ctx, db)
	seed(t, ctx, db)
	grant(t, ctx, db, d)
	return ctx, db, d
}

func grant(t *testing.T, ctx context.Context, db *sql.DB, d *mysqltest.Database) {
	t.Helper()
	if err := migrations.Grant(ctx, db, d.Name, migrations.Users{Panel: d.Panel, Worker: d.Worker}); err != nil {
		t.Fatal(err)
	}
}

func try(ctx context.Context, db *sql.DB, statement string) error {
	_, err := db.ExecContext(ctx, statement)
	return err
}

func TestNeitherPanelNorWorkerCanChangeTheAuditTrailOrTheSchema(t *testing.T) {
	ctx, db, d := granted(t)
	for _, user := range []string{d.Panel, d.Worker} {
		role := d.Open(t, user)
		for _, allowed := range []string{
			"SELECT * FROM audit",
			"INSERT INTO audit (at, actor_kind, action) VALUES (UTC_TIMESTAMP(6), 'local', 'doctor')",
			"SELECT * FROM sites",
			"UPDATE operations SET cancel = TRUE",
		} {
			if err := try(ctx, role, allowed); err != nil {
				t.Errorf("%s may not %s: %v", user, allowed, err)
			}
		}
		for _, refused := range []string{
			"UPDATE audit SET detail = 'nothing happened'",
			"DELETE FROM audit",
			"TRUNCATE TABLE audit",
			"REPLACE INTO audit (id, at, actor_kind, action) VALUES (1, UTC_TIMESTAMP(6), 'local', 'x')",
			"INSERT INTO audit (id, at, actor_kind, action) VALUES (1, UTC_TIMESTAMP(6), 'x', 'x') ON DUPLICATE KEY UPDATE detail = 'x'",
			"DROP TABLE audit",
			"ALTER TABLE audit ADD COLUMN x INT",
			"CREATE TABLE mine (a INT)",
			"CREATE VIEW mine AS SELECT 1",
			"CREATE TRIGGER mine BEFORE INSERT ON audit FOR EACH ROW SET NEW.detail = ''",
			"DELETE FROM sites",
			"UPDATE goose_db_version SET version_id = 1",
			"SELECT * FROM schema_pending",
			"GRANT SELECT ON audit TO " + d.Panel + "@localhost",
		} {
			if err := try(ctx, role, refused); err == nil {
				t.Errorf("%s may %s", user, refused)
			}
		}
	}
	var trail int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM audit WHERE detail = ''").Scan(&trail); err != nil || trail != 3 {
		t.Errorf("the audit trail has %d untouched rows (%v), want 3", trail, err)
	}
}

func TestThePanelMayOnlyLookAtTheWorkersTables(t *testing.T) {
	ctx, _, d := granted(t)
	panel, worker := d.Open(t, d.Panel), d.Open(t, d.Worker)
	for _, statement := range []string{
		"UPDATE traffic_daily SET requests = 0", "DELETE FROM worker_heartbeat", "SELECT * FROM traffic_batches", "DELETE FROM operations",
	} {
		if err := try(ctx, panel, statement); err == nil {
			t.Errorf("the panel may %s", statement)
		}
		if err := try(ctx, worker, statement); err != nil {
			t.Errorf("the worker may not %s: %v", statement, err)
		}
	}
}

func TestGrantingAgainTakesStrayRightsAway(t *testing.T) {
	ctx, db, d := granted(t)
	exec(t, ctx, db,
		"GRANT ALL PRIVILEGES ON "+d.Name+".audit TO "+d.Panel+"@localhost WITH GRANT OPTION",
		"GRANT ALL PRIVILEGES ON "+d.Name+".* TO "+d.Worker+"@localhost")
	if err := try(ctx, d.Open(t, d.Panel), "UPDATE audit SET detail = 'x'"); err != nil {
		t.Fatalf("the stray right does not work, so taking it away proves nothing: %v", err)
	}
	grant(t, ctx, db, d)
	if err := try(ctx, d.Open(t, d.Panel), "UPDATE audit SET detail = 'x'"); err == nil {
		t.Error("the panel may still change the audit trail")
	}
	if err := try(ctx, d.Open(t, d.Worker), "CREATE TABLE mine (a INT)"); err == nil {
		t.Error("the worker may still change the schema")
	}
	if err := try(ctx, d.Open(t, d.Worker), "SELECT * FROM sites"); err != nil {
		t.Errorf("the worker lost a right it should have: %v", err)
	}
}

func TestATableNobodyThoughtOfStopsTheGranting(t *testing.T) {
	ctx, db, d := granted(t)
	exec(t, ctx, db, "CREATE TABLE forgotten (a INT)")
	if err := migrations.Grant(ctx, db, d.Name, migrations.Users{Panel: d.Panel, Worker: d.Worker}); err == nil {
		t.Error("a table without a row in the table of grants went through")
	}
}

func TestNamesThatAreNoNamesAreRefused(t *testing.T) {
	ctx, db, d := granted(t)
	for _, bad := range []string{"", "x'@'%", "a b", "A"} {
		if err := migrations.Grant(ctx, db, d.Name, migrations.Users{Panel: bad, Worker: d.Worker}); err == nil {
			t.Errorf("user %q was accepted", bad)
		}
	}
}
