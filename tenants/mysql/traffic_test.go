//go:build integration

package mysql_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/mysql"
)

func TestABatchOfTrafficCountsOnce(t *testing.T) {
	ctx, s := store(t)
	rows := []mysql.TrafficRow{
		{SiteID: "s1", At: at, Requests: 3, BytesIn: 10, BytesOut: 100, Status: [6]int64{0, 0, 2, 0, 1, 0}},
		{SiteID: "s2", At: at, Requests: 5},
	}
	var wg sync.WaitGroup
	fresh := make(chan bool, 10)
	for range cap(fresh) {
		wg.Go(func() {
			f, err := s.AddTraffic(ctx, "batch-1", rows)
			if err != nil {
				t.Error(err)
			}
			fresh <- f
		})
	}
	wg.Wait()
	close(fresh)
	n := 0
	for f := range fresh {
		if f {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the batch was fresh %d times", n)
	}
	if f, err := s.AddTraffic(ctx, "batch-2", rows[:1]); err != nil || !f {
		t.Errorf("another batch: fresh %v (%v)", f, err)
	}
	got, err := s.RequestsToday(ctx, []string{"s1", "s2", "s3"}, at)
	if want := map[string]int64{"s1": 6, "s2": 5}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	days, err := s.Traffic(ctx, "s1", at, at)
	if err != nil || len(days) != 1 || days[0].BytesOut != 200 || days[0].Status[4] != 2 || days[0].Status[2] != 4 {
		t.Errorf("got %+v (%v)", days, err)
	}
}

func TestDaysAreThoseOfParis(t *testing.T) {
	ctx, s := store(t)
	midnight := time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC) // 0:00 on the 23rd
	_, err := s.AddTraffic(ctx, "b", []mysql.TrafficRow{
		{SiteID: "s1", At: midnight.Add(-time.Second), Requests: 1},
		{SiteID: "s1", At: midnight, Requests: 10},
	})
	must(t, err)
	for when, want := range map[time.Time]int64{midnight.Add(-time.Minute): 1, midnight.Add(time.Hour): 10} {
		if got, err := s.RequestsToday(ctx, []string{"s1"}, when); err != nil || got["s1"] != want {
			t.Errorf("at %v: %v (%v), want %d", when, got, err, want)
		}
	}
	days, err := s.Traffic(ctx, "s1", midnight.Add(-48*time.Hour), midnight)
	if err != nil || len(days) != 2 || days[0].Requests != 1 || days[1].At.Day() != 23 {
		t.Errorf("got %+v (%v)", days, err)
	}
}

func TestForgottenBatchesMayComeAgain(t *testing.T) {
	ctx, s := store(t)
	_, err := s.AddTraffic(ctx, "b", nil)
	must(t, err)
	now, err := s.Clock(ctx)
	must(t, err)
	must(t, s.ForgetBatches(ctx, now.Add(-time.Hour)))
	if f, err := s.AddTraffic(ctx, "b", nil); err != nil || f {
		t.Errorf("a young batch was forgotten (%v)", err)
	}
	must(t, s.ForgetBatches(ctx, now.Add(time.Hour)))
	if f, err := s.AddTraffic(ctx, "b", nil); err != nil || !f {
		t.Errorf("an old batch was not forgotten (%v)", err)
	}
}

func TestTheWorkerIsSeen(t *testing.T) {
	ctx, s := store(t)
	_, err := s.WorkerSeen(ctx)
	wants(t, "before any worker", err, tenants.ErrNotFound)
	must(t, s.Heartbeat(ctx, "w1", "make demo"))
	first, err := s.WorkerSeen(ctx)
	must(t, err)
	must(t, s.Heartbeat(ctx, "w1", "make it so"))
	if command, err := s.Revival(ctx); err != nil || command != "make it so" {
		t.Errorf("the command that brings it back is %q (%v)", command, err)
	}
	if second, err := s.WorkerSeen(ctx); err != nil || !second.After(first) {
		t.Errorf("seen at %v, then at %v (%v)", first, second, err)
	}
}

func TestTheAuditTrailGrowsAndCanBeNarrowed(t *testing.T) {
	ctx, _, d := storeOn(t)
	s := as(t, d.Config(d.Panel))
	e := tenants.AuditEntry{
		At: at, ActorKind: tenants.KindPerson, ActorID: "sub", ActorName: "Zoé", Address: "2001:db8::1", Action: "site.create",
		AssociationID: "a1", SiteID: "s1", OperationID: "o1", Detail: "blog",
	}
	must(t, s.Audit(ctx, e))
	must(t, s.Audit(ctx, tenants.AuditEntry{ActorKind: tenants.KindSystem, Action: "site.purge", AssociationID: "a2", Detail: strings.Repeat("é\xff", 3000)}))
	all, err := s.AuditEntries(ctx, tenants.AuditFilter{})
	if err != nil || len(all) != 2 || all[0].AssociationID != "a2" {
		t.Fatalf("got %+v (%v)", all, err)
	}
	if since := time.Since(all[0].At).Abs(); since > time.Minute {
		t.Errorf("an entry without a time is %v old", since)
	}
	e.ID = all[1].ID
	for name, f := range map[string]tenants.AuditFilter{
		"association": {AssociationID: "a1"}, "site": {SiteID: "s1"}, "operation": {OperationID: "o1"}, "older": {Before: tenants.AuditCursor{At: all[0].At, ID: all[0].ID}},
		"person": {ActorName: "zoe"}, "act": {Action: "site.create"}, "day": {From: at.Add(-time.Hour), To: at.Add(time.Hour)},
	} {
		if got, err := s.AuditEntries(ctx, f); err != nil || len(got) != 1 || got[0] != e {
			t.Errorf("by %s: %+v (%v), want %+v", name, got, err, e)
		}
	}
	if got, err := s.AuditEntries(ctx, tenants.AuditFilter{Limit: 1}); err != nil || len(got) != 1 {
		t.Errorf("limited to one: %d (%v)", len(got), err)
	}
}
