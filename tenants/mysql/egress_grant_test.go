//go:build integration

package mysql_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"chatiere/tenants"
)

func TestAccessIsKeptAsDecided(t *testing.T) {
	ctx, worker, d := storeOn(t)
	s := as(t, d.Config(d.Panel))
	a := tenants.EgressGrant{
		ID: "e000000001", SiteID: "s000000001", Name: "*.example.org", Ports: []int{443, 587}, Reason: "pour la carte",
		State: tenants.GrantAsked, AskedBy: "Léa", AskedAt: at,
	}
	must(t, s.CreateGrant(ctx, a))
	twin := a
	twin.ID = "e000000002"
	if err := s.CreateGrant(ctx, twin); !errors.Is(err, tenants.ErrConflict) {
		t.Errorf("the same twice: %v", err)
	}
	twin.SiteID = "s000000002"
	must(t, s.CreateGrant(ctx, twin))
	when := at.Add(time.Hour)
	a.State, a.DecidedBy, a.DecidedAt, a.Answer = tenants.GrantGranted, "Jean", &when, "d’accord"
	must(t, s.DecideGrant(ctx, a, tenants.GrantAsked))
	if err := s.DecideGrant(ctx, a, tenants.GrantAsked); !errors.Is(err, tenants.ErrConflict) {
		t.Errorf("decided twice: %v", err)
	}
	if got, err := s.Grant(ctx, a.ID); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v (%v), want %+v", got, err, a)
	}
	if got, err := worker.GrantsIn(ctx, tenants.GrantGranted); err != nil || len(got) != 1 || got[0].ID != a.ID {
		t.Errorf("granted: %+v (%v)", got, err)
	}
	if err := worker.DecideGrant(ctx, a, tenants.GrantGranted); err == nil {
		t.Error("the worker decided")
	}
	a.State = tenants.GrantRevoked
	must(t, s.DecideGrant(ctx, a, tenants.GrantGranted))
	again := a
	again.ID, again.State, again.AskedAt = "e000000003", tenants.GrantAsked, at.Add(2*time.Hour)
	must(t, s.CreateGrant(ctx, again)) // what was taken back may be asked for anew
	if got, err := s.SiteGrants(ctx, a.SiteID); err != nil || len(got) != 2 || got[0].ID != again.ID {
		t.Errorf("of the site: %+v (%v)", got, err)
	}
	if _, err := s.Grant(ctx, "e999999999"); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}
