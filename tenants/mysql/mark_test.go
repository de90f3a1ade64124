//go:build integration

package mysql_test

import (
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/mysql/mysqltest"
)

func TestTheMarkGrowsForItsDataRootAlone(t *testing.T) {
	ctx, s := store(t)
	if m, err := s.Mark(ctx); err != nil || m != (tenants.Mark{}) {
		t.Fatalf("fresh records bear %+v, %v", m, err)
	}
	_, err := s.AdvanceMark(ctx, "01lilas", "host")
	wants(t, "advancing without a mark", err, tenants.ErrConflict)
	told := tenants.AuditEntry{ActorKind: tenants.KindLocal, ActorName: "root", Action: "records.accept"}
	must(t, s.SetMark(ctx, tenants.Mark{Installation: "01lilas", Count: 7, Host: "host"}, &told))
	m, err := s.AdvanceMark(ctx, "01lilas", "other-host")
	if err != nil || m.Installation != "01lilas" || m.Count != 8 || m.Host != "other-host" || time.Since(m.At).Abs() > time.Minute {
		t.Errorf("advanced to %+v, %v", m, err)
	}
	_, err = s.AdvanceMark(ctx, "01autre", "host")
	wants(t, "advancing another's", err, tenants.ErrConflict)
	if again, err := s.Mark(ctx); err != nil || again != m {
		t.Errorf("read %+v, %v, want %+v", again, err, m)
	}
	entries, err := s.AuditEntries(ctx, tenants.AuditFilter{})
	if err != nil || len(entries) != 1 || entries[0].Action != "records.accept" {
		t.Errorf("the audit trail says %+v, %v", entries, err)
	}
}

func TestRecordsFromBeforeTheFirstMarkBearNone(t *testing.T) {
	d := mysqltest.New(t)
	if m, err := as(t, d.Config(d.Migrate)).Mark(t.Context()); err != nil || m != (tenants.Mark{}) {
		t.Errorf("got %+v, %v", m, err)
	}
}
