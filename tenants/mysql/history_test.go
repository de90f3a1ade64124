//go:build integration

package mysql_test

import (
	"errors"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

func TestWhatEndedLongAgoIsPrunedAndWhatLivesStays(t *testing.T) {
	ctx, s, d := storeOn(t)
	panel := as(t, d.Config(d.Panel))
	ended := insert(t, ctx, s, "s1")
	op := claim(t, ctx, s)
	must(t, s.End(ctx, op.ID, op.Lease.Fence, operations.Done, nil))
	live := insert(t, ctx, s, "s1")
	when := time.Now().UTC()
	access := func(id, name string, state tenants.GrantState) {
		t.Helper()
		a := tenants.EgressGrant{ID: id, SiteID: "s1", Name: name, Ports: []int{443}, State: tenants.GrantAsked, AskedBy: "Léa", AskedAt: when}
		must(t, panel.CreateGrant(ctx, a))
		a.State, a.DecidedBy, a.DecidedAt = state, "Jean", &when
		must(t, panel.DecideGrant(ctx, a, tenants.GrantAsked))
	}
	access("e000000001", "granted.example", tenants.GrantGranted)
	access("e000000002", "refused.example", tenants.GrantRefused)
	must(t, s.Heartbeat(ctx, "w1", "make demo"))

	must(t, s.PruneHistory(ctx, time.Now().Add(-time.Hour)))
	if got := read(t, ctx, s, ended.ID); len(got.Steps) != 2 {
		t.Errorf("pruned too early: %+v", got)
	}
	must(t, s.PruneHistory(ctx, time.Now().Add(time.Hour)))
	if _, err := s.Operation(ctx, ended.ID); !errors.Is(err, operations.ErrNotFound) {
		t.Errorf("an operation that ended: %v", err)
	}
	if got := read(t, ctx, s, live.ID); len(got.Steps) != 2 {
		t.Errorf("a living operation lost its steps: %+v", got)
	}
	if got, err := s.SiteGrants(ctx, "s1"); err != nil || len(got) != 1 || got[0].State != tenants.GrantGranted {
		t.Errorf("accesses %+v, %v; want the granted one", got, err)
	}
	if command, err := s.Revival(ctx); err != nil || command != "" {
		t.Errorf("a heartbeat stays: %q, %v", command, err)
	}
}
