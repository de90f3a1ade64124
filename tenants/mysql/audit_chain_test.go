//go:build integration

package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/audit"
	"chatiere/tenants/mysql"
	"chatiere/tenants/mysql/mysqltest"
)

// vault is a sealed trail on a real server: the panel's and the worker's rights are those of the program.
type vault struct {
	*testing.T
	ctx           context.Context
	panel, worker *mysql.Store
	database      *mysqltest.Database
	root          *sql.DB // may do everything
	sealer        *audit.ChainWriter
	heads         audit.Checkpoints
}

func newVault(t *testing.T) *vault {
	t.Helper()
	ctx, worker, d := storeOn(t)
	v := &vault{T: t, ctx: ctx, worker: worker, panel: as(t, d.Config(d.Panel)), database: d, root: d.Open(t, d.Migrate)}
	v.heads = audit.Checkpoints{Dir: filepath.Join(t.TempDir(), "audit")}
	v.sealer = &audit.ChainWriter{Records: worker, Checkpoints: v.heads, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	return v
}

func (v *vault) write(s *mysql.Store, n int) {
	v.Helper()
	for i := range n {
		must(v.T, s.Audit(v.ctx, tenants.AuditEntry{
			At: time.Now().UTC(), ActorKind: tenants.KindPerson, ActorID: "sub", ActorName: "Zoé 🌸 ", Address: "2001:db8::1", Action: "site.create",
			AssociationID: "a1", SiteID: "s1", OperationID: "o1", Detail: fmt.Sprint("blog ", i, " "),
		}))
	}
}

func (v *vault) verify() audit.Report {
	v.Helper()
	r, err := audit.Verify(v.ctx, v.worker, v.heads, nil, time.Now())
	must(v.T, err)
	return r
}

func (v *vault) exec(statement string, args ...any) {
	v.Helper()
	if _, err := v.root.ExecContext(v.ctx, statement, args...); err != nil {
		v.Fatalf("%s: %v", statement, err)
	}
}

// columns of a table and a value each that differs from what the rows have.
func (v *vault) columns(table string) []string {
	v.Helper()
	rows, err := v.root.QueryContext(v.ctx, "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?", table)
	must(v.T, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		must(v.T, rows.Scan(&name))
		out = append(out, name)
	}
	must(v.T, rows.Err())
	return out
}

// The same row is changed column by column and put right again: every change is seen, and named.
func TestEveryColumnOfTheTrailAndOfItsSealsIsCovered(t *testing.T) {
	v := newVault(t)
	v.write(v.panel, 6)
	must(t, v.sealer.Append(v.ctx))
	if r := v.verify(); !r.Intact() || r.Rows != 6 {
		t.Fatalf("untouched: %+v", r)
	}
	changes := map[string]string{
		"audit.id": "id + 1000", "audit.at": "at + INTERVAL 1 MICROSECOND", "audit_seals.seq": "seq + 1000", "audit_seals.audit_id": "audit_id + 1000",
		"audit_seals.sealed_at": "sealed_at + INTERVAL 1 MICROSECOND", "audit_seals.hash": "UNHEX(SHA2('x', 256))", "audit.actor_name": "'zoe 🌸 '",
		"audit.detail": "TRIM(detail)",
	}
	tried := 0
	for _, table := range []string{"audit", "audit_seals"} {
		key := map[string]string{"audit": "id", "audit_seals": "seq"}[table]
		for _, column := range v.columns(table) {
			change := changes[table+"."+column]
			if change == "" {
				change = "CONCAT('x', " + column + ")"
			}
			v.exec("CREATE OR REPLACE TABLE kept AS SELECT * FROM " + table)
			v.exec(fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = 3", table, column, change, key))
			r := v.verify()
			// A seal that was turned to another row names that one; its own number still tells the place.
			if r.Intact() || r.Faults[0].Seq != 3 || r.Faults[0].ID != 3 && column != "audit_id" || r.Faults[0].Kind != audit.Changed && r.Faults[0].Kind != audit.Removed {
				t.Errorf("%s.%s changed: %+v, want row 3 first", table, column, r.Faults)
			}
			v.exec("DELETE FROM " + table)
			v.exec("INSERT INTO " + table + " SELECT * FROM kept")
			tried++
		}
	}
	v.exec("DROP TABLE kept")
	if r := v.verify(); !r.Intact() || tried != 11+4 {
		t.Errorf("put right, after %d columns: %+v", tried, r)
	}
}

func TestEveryRowOfTheTrailIsCovered(t *testing.T) {
	v := newVault(t)
	const rows = 12
	v.write(v.worker, rows)
	must(t, v.sealer.Append(v.ctx))
	for id := int64(1); id <= rows; id++ {
		v.exec("UPDATE audit SET detail = CONCAT(detail, 'x') WHERE id = ?", id)
		if r := v.verify(); r.Intact() || r.Faults[0].Kind != audit.Changed || r.Faults[0].ID != id {
			t.Errorf("row %d changed: %+v", id, r.Faults)
		}
		v.exec("UPDATE audit SET detail = LEFT(detail, CHAR_LENGTH(detail) - 1) WHERE id = ?", id)
		v.exec("CREATE OR REPLACE TABLE kept AS SELECT * FROM audit WHERE id = ?", id)
		v.exec("DELETE FROM audit WHERE id = ?", id)
		if r := v.verify(); r.Intact() || r.Faults[0].Kind != audit.Removed || r.Faults[0].ID != id {
			t.Errorf("row %d removed: %+v", id, r.Faults)
		}
		v.exec("INSERT INTO audit SELECT * FROM kept")
	}
	v.exec("DROP TABLE kept")
	v.exec("DELETE FROM audit_seals WHERE seq > 9")
	v.exec("DELETE FROM audit WHERE id > 9")
	if r := v.verify(); r.Intact() || r.Faults[0].Kind != audit.Cut || r.Faults[0].ID != 9 {
		t.Errorf("the last rows cut off: %+v", r.Faults)
	}
}

// Panel and worker write at once, some in transactions that end late; the sealer runs all the while.
func TestManyWritersAtOnceMakeOneChain(t *testing.T) {
	v := newVault(t)
	var writers sync.WaitGroup
	const each = 40
	for i, s := range []*mysql.Store{v.panel, v.panel, v.worker, v.worker} {
		writers.Go(func() {
			for range each {
				if err := s.Transact(v.ctx, func(ctx context.Context) error {
					if err := s.Audit(ctx, tenants.AuditEntry{ActorKind: tenants.KindSystem, Action: "site.create", Detail: fmt.Sprint(i)}); err != nil {
						return err
					}
					var one int
					return s.Pool().QueryRowContext(ctx, "SELECT SLEEP(0.002)").Scan(&one)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		must(t, v.sealer.Append(v.ctx))
	}
	late := &audit.ChainWriter{Records: v.worker, Checkpoints: v.heads, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	must(t, late.Append(v.ctx)) // as after a restart: everything is gone through
	if r := v.verify(); !r.Intact() || r.Rows != 4*each || r.Waiting != 0 {
		t.Errorf("%+v, want %d rows", r, 4*each)
	}
}

func TestThePanelCannotReachTheSealsAndTheWorkerOnlyAddsToThem(t *testing.T) {
	v := newVault(t)
	v.write(v.panel, 2)
	must(t, v.sealer.Append(v.ctx))
	panel, worker := v.database.Open(t, v.database.Panel), v.database.Open(t, v.database.Worker)
	for _, statement := range []string{
		"UPDATE audit_seals SET seq = 9 WHERE seq = 2", "DELETE FROM audit_seals", "DELETE FROM audit", "UPDATE audit SET detail = ''",
		"INSERT INTO audit_anchors VALUES (1, 1, UTC_TIMESTAMP(6), UNHEX(SHA2('x', 256)))", "DELETE FROM audit_anchors",
	} {
		for name, user := range map[string]*sql.DB{"panel": panel, "worker": worker} {
			if _, err := user.ExecContext(v.ctx, statement); err == nil {
				t.Errorf("the %s may %s", name, statement)
			}
		}
	}
	if _, err := panel.ExecContext(v.ctx, "SELECT * FROM audit_seals"); err == nil {
		t.Error("the panel may read the seals")
	}
	if _, err := v.worker.Prune(v.ctx, audit.ChainEntry{Seq: 1, AuditID: 1, At: at}); err == nil {
		t.Error("the worker may prune")
	}
}

func TestOldRowsArePrunedByTheUserOfTheSchemaAndTheChainHolds(t *testing.T) {
	v := newVault(t)
	v.write(v.panel, 5)
	v.exec("UPDATE audit SET at = at - INTERVAL 2 YEAR WHERE id <= 3")
	must(t, v.sealer.Append(v.ctx))
	p := audit.Pruner{Records: as(t, v.database.Config(v.database.Migrate)), Checkpoints: v.heads, Keep: 366 * 24 * time.Hour, Now: time.Now}
	if n, err := p.Prune(v.ctx); n != 3 || err != nil {
		t.Fatalf("%d pruned, %v", n, err)
	}
	must(t, v.sealer.Append(v.ctx))
	if r := v.verify(); !r.Intact() || r.Rows != 3 || r.Pruned == nil {
		t.Errorf("%+v", r)
	}
	v.exec("DELETE FROM audit_seals WHERE seq = 4")
	v.exec("DELETE FROM audit WHERE id = 4")
	if r := v.verify(); r.Intact() || r.Faults[0].Kind != audit.Removed || r.Faults[0].ID != 4 {
		t.Errorf("the first row behind the anchor removed: %+v", r.Faults)
	}
}

// A page of the journal reads as many rows as it shows, whatever is asked for and however long the trail is.
func TestAPageOfALongTrailReadsFewRows(t *testing.T) {
	v := newVault(t)
	v.exec(`INSERT INTO audit (at, actor_kind, actor_id, actor_name, action, association_id)
	 SELECT '2026-01-01' + INTERVAL seq SECOND, 'person', CONCAT('u', seq % 50), CONCAT('Personne ', seq % 50), CONCAT('act.', seq % 20), CONCAT('a', seq % 100)
	 FROM seq_1_to_100000`)
	v.exec("ANALYZE TABLE audit PERSISTENT FOR ALL")
	c := v.database.Config(v.database.Panel)
	middle := time.Date(2026, 1, 1, 15, 0, 0, 0, time.UTC)
	for name, f := range map[string]tenants.AuditFilter{
		"everything": {}, "deep": {Before: tenants.AuditCursor{At: middle, ID: 54000}}, "an association": {AssociationID: "a7"},
		"an association, deep": {AssociationID: "a7", Before: tenants.AuditCursor{At: middle, ID: 54000}}, "a person": {ActorName: "personne 7"},
		"an act": {Action: "act.3", To: middle}, "a day": {From: middle.Add(-time.Hour), To: middle},
	} {
		s := as(t, c)
		s.Pool().SetMaxOpenConns(1)
		f.Limit = 50
		before := handlerReads(t, v.ctx, s.Pool())
		got, err := s.AuditEntries(v.ctx, f)
		if read := handlerReads(t, v.ctx, s.Pool()) - before; err != nil || len(got) != 50 || read > 400 {
			t.Errorf("%s: %d rows (%v), %d read", name, len(got), err, read)
		}
	}
	s := as(t, c)
	s.Pool().SetMaxOpenConns(1)
	before := handlerReads(t, v.ctx, s.Pool())
	names, err := s.AuditActors(v.ctx, "")
	if read := handlerReads(t, v.ctx, s.Pool()) - before; err != nil || len(names) != 50 || read > 1000 {
		t.Errorf("names: %d (%v), %d read", len(names), err, read)
	}
}

func handlerReads(t *testing.T, ctx context.Context, pool *sql.DB) (total int64) {
	t.Helper()
	rows, err := pool.QueryContext(ctx, "SHOW SESSION STATUS LIKE 'Handler_read%'")
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		must(t, rows.Scan(&name, &n))
		if !strings.Contains(name, "rnd") || n < 1000 { // SHOW STATUS itself reads a temporary table
			total += n
		}
	}
	must(t, rows.Err())
	return total
}
