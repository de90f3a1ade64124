//go:build integration

package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/migrations"
	"chatiere/tenants/mysql/mysqltest"

	"github.com/pressly/goose/v3"
)

func TestMain(m *testing.M) { os.Exit(mysqltest.Main(m)) }

var quiet = slog.New(slog.DiscardHandler)

// seeds fill every table, parents first.
var seeds = []string{
	"INSERT INTO associations VALUES ('a000000001', 'lilas', 'Les Lilas', '', 'active', UTC_TIMESTAMP(6))",
	"INSERT INTO people VALUES ('sub-1', 'zoe', 'Zoé', 'zoe@lilas.example', FALSE, UTC_TIMESTAMP(6), NULL)",
	"INSERT INTO association_members VALUES ('a000000001', 'sub-1', 'manager')",
	"INSERT INTO uid_sequence VALUES (1, 200001)",
	`INSERT INTO sites (id, association_id, template, version, name, host, live_host, uid, state, created_at)
	 VALUES ('s000000001', 'a000000001', 'wordpress', '1', 'Blog', 'blog.example', 'blog.example', 200000, 'ready', UTC_TIMESTAMP(6))`,
	`INSERT INTO releases (id, site_id, number, template, version, containers, definition, created_at)
	 VALUES ('r000000001', 's000000001', 1, 'wordpress', '1', '[]', '{}', UTC_TIMESTAMP(6))`,
	`INSERT INTO snapshots (id, association_id, site_id, reason, taken_at, ended_at, template, version, files, bytes, database_bytes, missing, missing_count, pinned)
		VALUES ('k1', 'a000000001', 's000000001', 'daily', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 'wordpress', '6.8', 1, 2, 3, '[]', 0, FALSE)`,
	`INSERT INTO operations (id, kind, plan_version, subject, idem_key, spec, state, detail, run_after, created_at)
	 VALUES ('op1', 'site.provision', 1, 'site:s000000001', 'k', '{}', 'queued', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`,
	"INSERT INTO operation_holds VALUES ('site:s000000001', '', 'op1')",
	"INSERT INTO operation_steps (operation_id, seq, name, state, error) VALUES ('op1', 0, 'disk', 'pending', '')",
	"INSERT INTO audit (at, actor_kind, action) VALUES (UTC_TIMESTAMP(6), 'system', 'site.create')",
	"INSERT INTO audit_seals VALUES (2, 1, UTC_TIMESTAMP(6), UNHEX(SHA2('a', 256)))",
	"INSERT INTO audit_anchors VALUES (1, 0, UTC_TIMESTAMP(6), UNHEX(SHA2('a', 256)))",
	"INSERT INTO traffic_daily (site_id, day, requests) VALUES ('s000000001', '2026-11-22', 3)",
	"INSERT INTO traffic_batches VALUES ('b1', UTC_TIMESTAMP(6))",
	"INSERT INTO worker_heartbeat (worker, seen_at) VALUES ('w1', UTC_TIMESTAMP(6))",
	"INSERT INTO findings (area, subject, code, level, args, since, seen) VALUES ('site', 's0', 'x', 'note', '{}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
	`INSERT INTO site_accounts (site_id, login, subject, local, administrator, app_keys) VALUES ('s000000001', 'léa', 'sub-1', 1, 1, 2)`,
	`INSERT INTO site_access (id, site_id, name, ports, live_key, reason, state, asked_by, asked_at)
	 VALUES ('x000000001', 's000000001', 'api.example', '443', 'api.example 443', 'maps', 'asked', 'Zoé', UTC_TIMESTAMP(6))`,
	"INSERT INTO egress_daily VALUES ('s000000001', '2026-11-22', 'api.example', 443, 'refused', 'list', 1, 0, 0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
	"INSERT INTO egress_hourly VALUES ('s000000001', '2026-11-22 10:00:00', 1, 1, 0)",
	"INSERT INTO egress_batches VALUES ('b1', UTC_TIMESTAMP(6))",
	"INSERT INTO worker_mark (one, installation, count, marked_at) VALUES (1, 'i1', 1, UTC_TIMESTAMP(6))",
	"INSERT INTO mails (id, site_id, state, accepted_at, changed_at) VALUES ('m1.0', 's000000001', 'sent', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
	`INSERT INTO sessions (hash, kind, kc_sub, username, name, email, memberships, csrf, created_at, seen_at, rights_at, expires_at)
	 VALUES (UNHEX(SHA2('s', 256)), 'person', 'sub-1', 'zoe', 'Zoé', 'zoe@lilas.example', '{}', UNHEX(SHA2('c', 256)),
	 UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`,
	`INSERT INTO sign_ins (state, binding, nonce, verifier, return_path, expires_at)
	 VALUES (UNHEX(SHA2('s', 256)), UNHEX(SHA2('b', 256)), 'n', 'v', '/', UTC_TIMESTAMP(6))`,
	`INSERT INTO api_tokens (id, hash, label, maker_kind, maker_name, scope, created_at, expires_at)
	 VALUES ('t1', UNHEX(SHA2('t', 256)), 'cron', 'person', 'Zoé', 'read', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`,
	"INSERT INTO logout_tokens VALUES (UNHEX(SHA2('l', 256)), UTC_TIMESTAMP(6))",
	"INSERT INTO tries VALUES (UNHEX(SHA2('t', 256)), UTC_TIMESTAMP(6))",
	"INSERT INTO break_glass_links (hash, created_at, expires_at) VALUES (UNHEX(SHA2('b', 256)), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
}

// seed fills every table, and fails when one has been forgotten.
func seed(t *testing.T, ctx context.Context, db *sql.DB) {
	t.Helper()
	for _, statement := range seeds {
		exec(t, ctx, db, strings.Replace(statement, "INSERT", "INSERT IGNORE", 1)) // what is there stays
	}
	for _, table := range tables(t, ctx, db) {
		var rows int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if rows == 0 && table != "schema_pending" {
			t.Errorf("no seed fills table %s", table)
		}
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T) (context.Context, *sql.DB, *mysqltest.Database) {
	t.Helper()
	d := mysqltest.New(t)
	return bounded(t), d.Open(t, d.Migrate), d
}

func up(t *testing.T, ctx context.Context, db *sql.DB) {
	t.Helper()
	if err := migrations.Up(ctx, db, quiet); err != nil {
		t.Fatalf("up: %v", err)
	}
}

func exec(t *testing.T, ctx context.Context, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

var counter = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

// schema returns every table's definition, without counters.
func schema(t *testing.T, ctx context.Context, db *sql.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range tables(t, ctx, db) {
		var name, text string
		if err := db.QueryRowContext(ctx, "SHOW CREATE TABLE "+table).Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		out[table] = counter.ReplaceAllString(text, "")
	}
	return out
}

func tables(t *testing.T, ctx context.Context, db *sql.DB) []string {
	t.Helper()
	rows, err := db.QueryContext(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d tables, want %d", when, len(got), len(want))
	}
	for table, text := range want {
		if got[table] != text {
			t.Errorf("%s: table %s is\n%s\nwant\n%s", when, table, got[table], text)
		}
	}
}

func provider(t *testing.T, db *sql.DB) *goose.Provider {
	t.Helper()
	p, err := migrations.NewProvider(db)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// versions lists all migrations in their order.
func versions(t *testing.T, db *sql.DB) (out []int64) {
	t.Helper()
	for _, s := range provider(t, db).ListSources() {
		out = append(out, s.Version)
	}
	return out
}

// down takes back what is newer than a version.
func down(t *testing.T, ctx context.Context, db *sql.DB, version int64) {
	t.Helper()
	if _, err := provider(t, db).DownTo(ctx, version); err != nil {
		t.Fatalf("down to %d: %v", version, err)
	}
}

func TestUpDownUpOnASeededDatabaseLeavesTheSameSchemaAndNoRemains(t *testing.T) {
	ctx, db, _ := open(t)
	up(t, ctx, db)
	want := schema(t, ctx, db)
	seed(t, ctx, db)
	up(t, ctx, db) // with nothing to do
	var sites int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sites").Scan(&sites); err != nil || sites != 1 {
		t.Fatalf("a second up left %d sites (%v), want 1", sites, err)
	}
	down(t, ctx, db, 0)
	if left := tables(t, ctx, db); len(left) != 2 {
		t.Errorf("after down these tables are left: %v", left)
	}
	up(t, ctx, db)
	same(t, "up again", schema(t, ctx, db), want)
	seed(t, ctx, db)
}

func TestEveryMigrationGoesDownAndUpByItselfUnderSeeds(t *testing.T) {
	ctx, db, _ := open(t)
	up(t, ctx, db)
	want := schema(t, ctx, db)
	all := versions(t, db)
	for i := len(all) - 1; i >= 0; i-- {
		seed(t, ctx, db)
		before := int64(0)
		if i > 0 {
			before = all[i-1]
		}
		down(t, ctx, db, before)
		up(t, ctx, db)
		same(t, fmt.Sprintf("down to %d and up", before), schema(t, ctx, db), want)
	}
}

func TestAKillAtAnyPointOfAnyMigrationIsMadeGoodByTheNextStarter(t *testing.T) {
	ctx, db, _ := open(t)
	up(t, ctx, db)
	want := schema(t, ctx, db)
	down(t, ctx, db, 0)
	for _, s := range versions(t, db) {
		mark(t, ctx, db, s) // killed before the statement
		upTo(t, ctx, db, s)
		mark(t, ctx, db, s) // killed after the record
		upTo(t, ctx, db, s)
		mark(t, ctx, db, s) // killed between statement and record
		exec(t, ctx, db, fmt.Sprintf("DELETE FROM goose_db_version WHERE version_id = %d", s))
		upTo(t, ctx, db, s)
	}
	same(t, "after all kills", schema(t, ctx, db), want)
}

// mark writes what a starter writes before it runs a migration.
func mark(t *testing.T, ctx context.Context, db *sql.DB, version int64) {
	t.Helper()
	_, err := db.ExecContext(ctx, "INSERT INTO schema_pending VALUES (?, 'up', ?, UTC_TIMESTAMP(6))", version, migrations.Sum(version))
	if err != nil {
		t.Fatal(err)
	}
}

// upTo applies everything and takes back what is newer than a version.
func upTo(t *testing.T, ctx context.Context, db *sql.DB, version int64) {
	t.Helper()
	up(t, ctx, db)
	down(t, ctx, db, version)
}

func TestAHalfAppliedSchemaIsRefusedWithWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		harm  string
		want  error
		words string
	}{
		"a migration interrupted under another program version": {
			"INSERT INTO schema_pending VALUES (3, 'up', 'another sum', UTC_TIMESTAMP(6))", migrations.ErrHalfApplied, "start that version again"},
		"a table the record knows is gone": {
			"DROP TABLE traffic_batches", migrations.ErrHalfApplied, "restore the last database dump"},
		"a table is there that was never made": {
			"DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM (SELECT version_id FROM goose_db_version) AS v)",
			migrations.ErrHalfApplied, "check that this is the right database"},
		"a migration is missing below newer ones": {
			"DELETE FROM goose_db_version WHERE version_id = 4", migrations.ErrHalfApplied, "restore the last database dump"},
		"a newer program was here": {
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, TRUE)", migrations.ErrNewer, "install a newer version"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, db, _ := open(t)
			up(t, ctx, db)
			exec(t, ctx, db, c.harm)
			before := schema(t, ctx, db)
			err := migrations.Up(ctx, db, quiet)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("up says %v, want %v saying %q", err, c.want, c.words)
			}
			same(t, "after the refusal", schema(t, ctx, db), before)
		})
	}
}

func TestStartersAtOnceTakeTurns(t *testing.T) {
	ctx, _, d := open(t)
	var starters sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		db := d.Open(t, d.Migrate)
		starters.Go(func() { errs <- migrations.Up(ctx, db, quiet) })
	}
	starters.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	db := d.Open(t, d.Migrate)
	var twice int
	row := db.QueryRowContext(ctx, "SELECT COUNT(*) - COUNT(DISTINCT version_id) FROM goose_db_version")
	if err := row.Scan(&twice); err != nil || twice != 0 {
		t.Errorf("%d versions are recorded twice (%v)", twice, err)
	}
}

func TestAStarterDoesNotWaitForEverForTheLock(t *testing.T) {
	ctx, db, d := open(t)
	defer migrations.SetLockWait(50 * time.Millisecond)()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var got int
	row := conn.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT('chatiere.migrate.', MD5(DATABASE())), 0)")
	if err := row.Scan(&got); err != nil || got != 1 {
		t.Fatalf("taking the lock: %d, %v", got, err)
	}
	if err := migrations.Up(ctx, d.Open(t, d.Migrate), quiet); !errors.Is(err, migrations.ErrLocked) {
		t.Errorf("up under a held lock says %v, want %v", err, migrations.ErrLocked)
	}
}

func TestOperationsThatAreLiveAtTheUpgradeHoldTheirSubject(t *testing.T) {
	ctx, db, _ := open(t)
	up(t, ctx, db)
	down(t, ctx, db, 94)
	for id, live := range map[string]string{"oplive": "'site:s1'", "opended": "NULL"} {
		exec(t, ctx, db, fmt.Sprintf(`INSERT INTO operations (id, kind, plan_version, subject, live_subject, idem_key, spec, state, detail, run_after, created_at)
	 VALUES ('%s', 'site.suspend', 1, 'site:s1', %s, '%s', '{}', 'running', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`, id, live, id))
	}
	up(t, ctx, db)
	var subject, holder, operation string
	err := db.QueryRowContext(ctx, "SELECT subject, holder, operation_id FROM operation_holds").Scan(&subject, &holder, &operation)
	if err != nil || subject != "site:s1" || holder != "" || operation != "oplive" {
		t.Errorf("held is %q by %q of %q (%v), want the live operation's subject, exclusively", subject, holder, operation, err)
	}
}

func TestReleasesOfBeforeModesKeepWhatTheyWere(t *testing.T) {
	ctx, db, _ := open(t)
	up(t, ctx, db)
	down(t, ctx, db, 199)
	exec(t, ctx, db, `INSERT INTO associations (id, slug, name, state, created_at) VALUES ('a00000001', 'lilas', 'Lilas', 'active', UTC_TIMESTAMP(6))`)
	exec(t, ctx, db, `INSERT INTO sites (id, association_id, template, version, image_id, name, host, uid, state, admin_email, probe_detail, created_at)
	 VALUES ('s000000001', 'a00000001', 'wordpress', '', '', 'Blog', 'blog.example', 200000, 'ready', 'a@b.example', '', UTC_TIMESTAMP(6))`)
	exec(t, ctx, db, `INSERT INTO releases (id, site_id, number, template, version, containers, definition, created_at)
	 VALUES ('r000000001', 's000000001', 1, 'wordpress', '6.8', '[]', '{}', UTC_TIMESTAMP(6))`)
	up(t, ctx, db)
	var mode, engine, places string
	err := db.QueryRowContext(ctx, "SELECT mode, database_engine, places FROM releases").Scan(&mode, &engine, &places)
	if err != nil || mode != "autonome" || engine != "" || places != "" {
		t.Errorf("it is in mode %q, with database engine %q and places %q (%v)", mode, engine, places, err)
	}
}
