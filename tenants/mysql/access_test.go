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
	s := as(t, ctx, d.Config(d.Panel))
	a := tenants.Access{
		ID: "e000000001", SiteID: "s000000001", Name: "*.example.org", Ports: []int{443, 587}, Reason: "pour la carte",
		State: tenants.AccessAsked, AskedBy: "Léa", AskedAt: at,
	}
	must(t, s.CreateAccess(ctx, a))
	twin := a
	twin.ID = "e000000002"
	if err := s.CreateAccess(ctx, twin); !errors.Is(err, tenants.ErrConflict) {
		t.Errorf("the same twice: %v", err)
	}
	twin.SiteID = "s000000002"
	must(t, s.CreateAccess(ctx, twin))
	when := at.Add(time.Hour)
	a.State, a.DecidedBy, a.DecidedAt, a.Answer = tenants.AccessGranted, "Jean", &when, "d’accord"
	must(t, s.DecideAccess(ctx, a, tenants.AccessAsked))
	if err := s.DecideAccess(ctx, a, tenants.AccessAsked); !errors.Is(err, tenants.ErrConflict) {
		t.Errorf("decided twice: %v", err)
	}
	if got, err := s.Access(ctx, a.ID); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v (%v), want %+v", got, err, a)
	}
	if got, err := worker.AccessIn(ctx, tenants.AccessGranted); err != nil || len(got) != 1 || got[0].ID != a.ID {
		t.Errorf("granted: %+v (%v)", got, err)
	}
	if err := worker.DecideAccess(ctx, a, tenants.AccessGranted); err == nil {
		t.Error("the worker decided")
	}
	a.State = tenants.AccessRevoked
	must(t, s.DecideAccess(ctx, a, tenants.AccessGranted))
	again := a
	again.ID, again.State, again.AskedAt = "e000000003", tenants.AccessAsked, at.Add(2*time.Hour)
	must(t, s.CreateAccess(ctx, again)) // what was taken back may be asked for anew
	if got, err := s.SiteAccess(ctx, a.SiteID); err != nil || len(got) != 2 || got[0].ID != again.ID {
		t.Errorf("of the site: %+v (%v)", got, err)
	}
	if _, err := s.Access(ctx, "e999999999"); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}
