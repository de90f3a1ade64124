package egressgrant_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/egressgrant"
	"chatiere/tenants/egressgrant/egressgranttest"
	"chatiere/tenants/provision"
)

var now = time.Date(2026, 11, 22, 6, 20, 0, 0, time.UTC)

// office is a desk over records in memory.
type office struct {
	egressgranttest.Store
	desk   egressgrant.Requests
	audit  []tenants.AuditEntry
	nudges int
}

func (o *office) Transact(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (o *office) Site(_ context.Context, id string) (tenants.Site, error) {
	sites := map[string]tenants.Site{
		"s1": {ID: "s1", AssociationID: "a1", State: tenants.StateReady}, "s2": {ID: "s2", AssociationID: "a1", State: tenants.StateReady},
		"s9": {ID: "s9", AssociationID: "a1", State: tenants.StatePurged},
	}
	if s, ok := sites[id]; ok {
		return s, nil
	}
	return tenants.Site{}, tenants.ErrNotFound
}

func (o *office) Association(context.Context, string) (tenants.Association, error) {
	return tenants.Association{ID: "a1", Slug: "lilas"}, nil
}

func (o *office) Audit(_ context.Context, e tenants.AuditEntry) error {
	o.audit = append(o.audit, e)
	return nil
}

func newOffice() *office {
	o := &office{}
	o.desk = egressgrant.Requests{
		Records: o, Reachable: tenants.NamePolicy{Platform: []string{"panel.lilas.coop"}}, Now: func() time.Time { return now },
		Nudge: func() { o.nudges++ },
	}
	return o
}

func by(p tenants.Principal) provision.Request {
	return provision.Request{Principal: p, Address: "192.0.2.7"}
}

var (
	manager = by(tenants.Principal{Kind: tenants.KindPerson, ID: "lea", Name: "Léa", Memberships: map[string]tenants.Role{"lilas": tenants.RoleManager}})
	member  = by(tenants.Principal{Kind: tenants.KindPerson, ID: "ali", Memberships: map[string]tenants.Role{"lilas": tenants.RoleMember}})
	outside = by(tenants.Principal{Kind: tenants.KindPerson, ID: "eve"})
	admin   = by(tenants.Principal{Kind: tenants.KindPerson, ID: "ana", Name: "Ana", CoopAdmin: true, SecondFact: true})
	wish    = egressgrant.Request{Name: "https://API.example.org/v1", Ports: []int{587, 443}, Reason: "la carte"}
)

func TestAManagerAsksAndAVolunteerDecidesAndBothAreWrittenDown(t *testing.T) {
	o := newOffice()
	a, err := o.desk.Ask(t.Context(), manager, "s1", wish)
	if err != nil || a.Target() != "api.example.org:443,587" || a.State != tenants.GrantAsked || a.AskedBy != "Léa" {
		t.Fatalf("%+v, %v", a, err)
	}
	if o.nudges != 0 {
		t.Error("a wish alone changes no list")
	}
	if a, err = o.desk.Grant(t.Context(), admin, "s1", a.ID, " d’accord "); err != nil || a.State != tenants.GrantGranted || a.Answer != "d’accord" || a.DecidedBy != "Ana" {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err = o.desk.Revoke(t.Context(), admin, "s1", a.ID, ""); err != nil || a.State != tenants.GrantRevoked {
		t.Fatalf("%+v, %v", a, err)
	}
	if o.nudges != 2 {
		t.Errorf("%d nudges, want one for the grant and one for its end", o.nudges)
	}
	var trail []string
	for _, e := range o.audit {
		trail = append(trail, fmt.Sprint(e.Action, " ", e.ActorID, " ", e.SiteID, " ", e.AssociationID, " ", e.Address, " ", e.Detail))
	}
	want := []string{
		"access.ask lea s1 a1 192.0.2.7 " + a.ID + " api.example.org:443,587", "access.grant ana s1 a1 192.0.2.7 " + a.ID + " api.example.org:443,587",
		"access.revoke ana s1 a1 192.0.2.7 " + a.ID + " api.example.org:443,587",
	}
	if fmt.Sprint(trail) != fmt.Sprint(want) {
		t.Errorf("trail %q, want %q", trail, want)
	}
}

func TestOnlyThoseWhoMayAskAndDecide(t *testing.T) {
	o := newOffice()
	a, err := o.desk.Ask(t.Context(), manager, "s1", wish)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"a member asks":              {second(o.desk.Ask(t.Context(), member, "s1", wish)), tenants.ErrForbidden},
		"an outsider asks":           {second(o.desk.Ask(t.Context(), outside, "s1", wish)), tenants.ErrNotFound},
		"nobody asks":                {second(o.desk.Ask(t.Context(), by(tenants.Anonymous()), "s0", wish)), tenants.ErrUnauthenticated},
		"for a site that is gone":    {second(o.desk.Ask(t.Context(), manager, "s9", wish)), tenants.ErrNotFound},
		"a manager grants":           {second(o.desk.Grant(t.Context(), manager, "s1", a.ID, "")), tenants.ErrForbidden},
		"by another site's address":  {second(o.desk.Grant(t.Context(), admin, "s2", a.ID, "")), tenants.ErrNotFound},
		"what was not granted ends":  {second(o.desk.Revoke(t.Context(), admin, "s1", a.ID, "")), tenants.ErrConflict},
		"what was never asked":       {second(o.desk.Refuse(t.Context(), admin, "s1", "e999999999", "")), tenants.ErrNotFound},
		"with an answer of a volume": {second(o.desk.Refuse(t.Context(), admin, "s1", a.ID, fmt.Sprintf("%0600d", 1))), tenants.ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
	if len(o.audit) != 1 || o.nudges != 0 {
		t.Errorf("refusals left %d lines and %d nudges", len(o.audit), o.nudges)
	}
}

func second(_ tenants.EgressGrant, err error) error { return err }

func TestTheSameWishIsOneAndAWishHasAnEnd(t *testing.T) {
	o := newOffice()
	first, err := o.desk.Ask(t.Context(), manager, "s1", wish)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := o.desk.Ask(t.Context(), manager, "s1", wish); err != nil || again.ID != first.ID {
		t.Errorf("asked twice: %+v, %v", again, err)
	}
	if _, err := o.desk.Refuse(t.Context(), admin, "s1", first.ID, "non"); err != nil {
		t.Fatal(err)
	}
	anew, err := o.desk.Ask(t.Context(), manager, "s1", wish)
	if err != nil || anew.ID == first.ID {
		t.Errorf("asked anew: %+v, %v", anew, err)
	}
	if _, err := o.desk.Grant(t.Context(), admin, "s1", anew.ID, ""); err != nil {
		t.Fatal(err)
	}
	var faults tenants.Faults
	if _, err := o.desk.Ask(t.Context(), manager, "s1", wish); !errors.As(err, &faults) || faults[0].Code != "granted" {
		t.Errorf("asked for what is granted: %v", err)
	}
}

func TestEveryFaultOfAWishIsToldAtOnce(t *testing.T) {
	o := newOffice()
	var faults tenants.Faults
	_, err := o.desk.Ask(t.Context(), manager, "s1", egressgrant.Request{Name: "10.0.0.1", Ports: []int{25}})
	if !errors.As(err, &faults) || fmt.Sprint(faults) != "invalid: name=address ports=mail reason=missing" {
		t.Errorf("%v", err)
	}
}

func TestASiteHasOnlySoManyWishesAndNames(t *testing.T) {
	o := newOffice()
	ask := func(n int) (tenants.EgressGrant, error) {
		return o.desk.Ask(t.Context(), manager, "s1", egressgrant.Request{Name: fmt.Sprintf("n%d.example.org", n), Ports: []int{443}, Reason: "x"})
	}
	n := 0
	for ; n < 20; n++ {
		if _, err := ask(n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ask(n); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("wish %d: %v", n, err)
	}
	granted := 0
	for ; granted < 101; granted++ {
		all, _ := o.GrantsIn(t.Context(), tenants.GrantAsked)
		if _, err := o.desk.Grant(t.Context(), admin, "s1", all[0].ID, ""); err != nil {
			if !errors.Is(err, tenants.ErrConflict) {
				t.Fatal(err)
			}
			break
		}
		n++
		if _, err := ask(n); err != nil {
			t.Fatal(err)
		}
	}
	if granted != 100 {
		t.Errorf("%d names were granted", granted)
	}
}
