package provision_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

// house is a co-op with one association, over fakes.
type house struct {
	records  *provisiontest.Records
	world    *provisiontest.World
	plans    *provision.Plans
	registry *operations.Registry
	desk     *provision.Provisioner
	admin    provision.Request
	template string // of wishes
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{records: provisiontest.NewRecords(time.Now), template: "wordpress"}
	h.world = provisiontest.NewWorld(h.records)
	h.plans = h.world.Plans(time.Now)
	h.plans.Log = quiet()
	h.registry = h.plans.Registry()
	h.desk = &provision.Provisioner{
		Records: h.records, Queue: h.records, Registry: h.registry, Catalogue: provisiontest.Templates{},
		Hosts: tenants.Hosts{Domain: "lilas.coop", Platform: []string{"panel.lilas.coop"}}, Now: time.Now,
	}
	h.admin = provision.Request{Principal: tenants.Local()}
	a := tenants.Association{ID: "a00000001", Slug: "amap", Name: "Amap du Puy", State: tenants.AssociationActive}
	if err := h.records.CreateAssociation(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) reconciler() *provision.Reconciler {
	return &provision.Reconciler{Plans: h.plans, Queue: h.records, Registry: h.registry, Inventory: h.world.Sight(), Nudge: func() {},
		Silent: func(string) time.Time { return time.Time{} }}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// run starts a runner; at may be nil.
func (h *house) run(t *testing.T, at func(context.Context, operations.Operation, string, operations.Point)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	r := &operations.Runner{Store: h.records, Registry: h.registry, Owner: "w", Log: quiet(), Idle: 5 * time.Millisecond, AtPoint: at}
	go func() { defer close(done); r.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func (h *house) wait(t *testing.T, id string) operations.Operation {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		op, err := h.records.Operation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if op.State.Ended() || op.State == operations.Stuck {
			return op
		}
		time.Sleep(time.Millisecond) // polls a condition, with a deadline
	}
	t.Fatalf("operation %s never ended", id)
	return operations.Operation{}
}

// want carries an operation through and fails unless it ends so.
func (h *house) want(t *testing.T, state operations.State, op operations.Operation, err error) operations.Operation {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got := h.wait(t, op.ID)
	if got.State != state {
		t.Fatalf("%s ended %s (%s: %s), want %s", got.Kind, got.State, got.Problem, got.Detail, state)
	}
	return got
}

func (h *house) site(t *testing.T, id string) tenants.Site {
	t.Helper()
	s, err := h.records.Site(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h *house) wish() provision.NewSite {
	return provision.NewSite{Association: "amap", Template: h.template, Name: "Amap du Puy", Host: "amap"}
}

// provisioned returns a ready site.
func (h *house) provisioned(t *testing.T) tenants.Site {
	t.Helper()
	stop := h.run(t, nil)
	defer stop()
	op, err := h.desk.CreateSite(t.Context(), h.admin, h.wish())
	h.want(t, operations.Done, op, err)
	return h.site(t, op.SiteID)
}

func TestSiteLivesFromWishToPurge(t *testing.T) {
	h := newHouse(t)
	before := h.world.Inventory()
	s := h.provisioned(t)
	if s.State != tenants.StateReady || s.Host != "amap.lilas.coop" || s.Release.Front().ImageID == "" || s.Release.Number != 1 {
		t.Fatalf("provisioned site is %+v", s)
	}
	h.run(t, nil)
	ctx := t.Context()
	for _, c := range []struct {
		do   func(context.Context, provision.Request, string) (operations.Operation, error)
		want tenants.SiteState
	}{
		{h.desk.SuspendSite, tenants.StateSuspended}, {h.desk.ResumeSite, tenants.StateReady},
		{h.desk.DeleteSite, tenants.StateBinned}, {h.desk.RestoreSite, tenants.StateReady},
		{h.desk.DeleteSite, tenants.StateBinned}, {h.desk.PurgeSite, tenants.StatePurged},
	} {
		op, err := c.do(ctx, h.admin, s.ID)
		h.want(t, operations.Done, op, err)
		if got := h.site(t, s.ID).State; got != c.want {
			t.Fatalf("site is %s, want %s", got, c.want)
		}
	}
	if after := h.world.Inventory(); !reflect.DeepEqual(before, after) {
		t.Errorf("after the purge there is %v, before there was %v", after, before)
	}
	if len(h.records.Trail) != 7 {
		t.Errorf("%d audit entries, want one for each of 7 wishes", len(h.records.Trail))
	}
	op, err := h.desk.CreateSite(ctx, h.admin, h.wish())
	h.want(t, operations.Done, op, err)
	if again := h.site(t, op.SiteID); again.UID == s.UID || again.ID == s.ID {
		t.Errorf("a new site reuses uid %d or id %s", again.UID, again.ID)
	}
}

func TestFailedInstallLeavesNothing(t *testing.T) {
	h := newHouse(t)
	before := h.world.Inventory()
	op, err := h.desk.CreateSite(t.Context(), h.admin, h.wish())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.desk.CancelOperation(t.Context(), h.admin, op.ID); err != nil {
		t.Fatal(err)
	}
	h.run(t, nil)
	h.want(t, operations.Undone, op, nil)
	if after := h.world.Inventory(); !reflect.DeepEqual(before, after) {
		t.Errorf("left over: %v", after)
	}
	if s := h.site(t, op.SiteID); s.State != tenants.StateAborted {
		t.Errorf("site is %s", s.State)
	}
	if used, _ := h.records.HostTaken(t.Context(), "amap.lilas.coop"); used {
		t.Error("the host name is still held")
	}
}

func TestDeskRefusesWhatItCannotDo(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	ctx := t.Context()
	if _, err := h.desk.PurgeSite(ctx, h.admin, s.ID); !errors.Is(err, tenants.ErrConflict) {
		t.Errorf("purging a living site: %v, want ErrConflict", err)
	}
	if _, err := h.desk.SuspendSite(ctx, provision.Request{Principal: tenants.Anonymous()}, "s00000000"); !errors.Is(err, tenants.ErrUnauthenticated) {
		t.Errorf("anonymous asker of an unknown site: %v, want ErrUnauthenticated", err)
	}
	outsider := tenants.Principal{Kind: tenants.KindPerson, Memberships: map[string]tenants.Role{"other": tenants.RoleManager}}
	if _, err := h.desk.DeleteSite(ctx, provision.Request{Principal: outsider}, s.ID); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("outsider: %v, want ErrNotFound", err)
	}
	first, err := h.desk.SuspendSite(ctx, h.admin, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.desk.DeleteSite(ctx, h.admin, s.ID); !errors.Is(err, operations.ErrBusy) {
		t.Errorf("second wish while the first waits: %v, want ErrBusy", err)
	}
	h.run(t, nil)
	h.want(t, operations.Done, first, nil)
	if err := h.desk.CancelOperation(ctx, h.admin, first.ID); !errors.Is(err, operations.ErrTooLate) {
		t.Errorf("cancelling what is done: %v, want ErrTooLate", err)
	}
}

func TestSameKeyIsTheSameWish(t *testing.T) {
	h := newHouse(t)
	r := h.admin
	r.Key = "click-1"
	first, err := h.desk.CreateSite(t.Context(), r, h.wish())
	if err != nil {
		t.Fatal(err)
	}
	other := h.wish()
	other.Host = "other"
	for name, wish := range map[string]provision.NewSite{"the same": h.wish(), "another host": other} {
		again, err := h.desk.CreateSite(t.Context(), r, wish)
		if err != nil || again.ID != first.ID {
			t.Fatalf("%s, sent again: operation %s, %v; want %s", name, again.ID, err, first.ID)
		}
	}
	sites, _ := h.records.LiveSites(t.Context())
	if len(sites) != 1 || len(h.records.Trail) != 1 {
		t.Errorf("%d sites, %d audit entries; want one each", len(sites), len(h.records.Trail))
	}
}

func TestFaultsOfAWishAreToldTogetherWithAFreeHost(t *testing.T) {
	h := newHouse(t)
	if _, err := h.desk.CreateSite(t.Context(), h.admin, h.wish()); err != nil {
		t.Fatal(err)
	}
	_, err := h.desk.CreateSite(t.Context(), h.admin, provision.NewSite{
		Association: "amap", Template: "joomla", Name: " ", Host: "AMAP.lilas.coop.", AdminEmail: "nobody",
	})
	var faults tenants.Faults
	if !errors.As(err, &faults) || !errors.Is(err, tenants.ErrInvalid) {
		t.Fatalf("got %v, want faults", err)
	}
	got := map[string]string{}
	for _, f := range faults {
		got[f.Field] = f.Code + "/" + f.Proposal
	}
	want := map[string]string{"name": "missing/", "template": "unknown/", "admin_email": "malformed/", "host": "taken/amap-2.lilas.coop"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults %v, want %v", got, want)
	}
	if ops, err := h.records.Operations(t.Context(), operations.Filter{}); err != nil || len(ops) != 1 {
		t.Errorf("%d operations, %v; a refused wish leaves none", len(ops), err)
	}
}

func TestAFaultySlugComesWithAFreeOne(t *testing.T) {
	h := newHouse(t) // "amap" is taken
	for _, c := range []struct {
		wish        provision.NewAssociation
		field, code string
		proposal    string
	}{
		{provision.NewAssociation{Name: "Друзья"}, "slug", "missing", "association"},
		{provision.NewAssociation{Name: "日本 🌱"}, "slug", "missing", "association"},
		{provision.NewAssociation{Name: "A"}, "slug", "missing", "association"},
		{provision.NewAssociation{Name: "Amap"}, "slug", "taken", "amap-2"},
		{provision.NewAssociation{Name: "Âmap"}, "slug", "taken", "amap-2"},
		{provision.NewAssociation{Name: "X", Slug: "Ça va"}, "slug", "malformed", "ca-va"},
		{provision.NewAssociation{Name: "X", Slug: "-"}, "slug", "malformed", "association"},
		{provision.NewAssociation{Name: "Am\u200fap"}, "name", "invisible", "Amap"},
	} {
		_, err := h.desk.CreateAssociation(t.Context(), h.admin, c.wish)
		var faults tenants.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%+v: %v", c.wish, err)
			continue
		}
		found := false
		for _, f := range faults {
			found = found || f == tenants.Fault{Field: c.field, Code: c.code, Proposal: c.proposal}
		}
		if !found {
			t.Errorf("%+v: faults %+v, want %s %s, %s", c.wish, faults, c.field, c.code, c.proposal)
		}
	}
}

func TestAPastedAddressIsUnderstoodAndProposedFrom(t *testing.T) {
	h := newHouse(t)
	for host, want := range map[string]string{
		"https://essai.example.org:8443/": "essai-example-org.lilas.coop", "lea@lilas.coop": "lea.lilas.coop", "https://lilas.coop/": "amap-du-puy.lilas.coop",
		"Друзья": "amap-du-puy.lilas.coop",
	} {
		wish := h.wish()
		wish.Host = host
		_, err := h.desk.CreateSite(t.Context(), h.admin, wish)
		var faults tenants.Faults
		if !errors.As(err, &faults) || faults[0].Field != "host" || faults[0].Proposal != want {
			t.Errorf("%s: %v, want the proposal %s", host, err, want)
		}
	}
	wish := h.wish()
	wish.Host = "https://Amap.lilas.coop:8443/"
	op, err := h.desk.CreateSite(t.Context(), h.admin, wish)
	if err != nil {
		t.Fatal(err)
	}
	if s := h.site(t, op.SiteID); s.Host != "amap.lilas.coop" {
		t.Errorf("the site's host is %s", s.Host)
	}
}

func TestAssociationIsMadeOrUndoneWhole(t *testing.T) {
	h := newHouse(t)
	before := h.world.Inventory()
	op, err := h.desk.CreateAssociation(t.Context(), h.admin, provision.NewAssociation{Name: "Théâtre du Lac"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.desk.CancelOperation(t.Context(), h.admin, op.ID); err != nil {
		t.Fatal(err)
	}
	h.run(t, nil)
	h.want(t, operations.Undone, op, nil)
	if after := h.world.Inventory(); !reflect.DeepEqual(before, after) {
		t.Errorf("left over: %v", after)
	}
	op, err = h.desk.CreateAssociation(t.Context(), h.admin, provision.NewAssociation{Name: "Théâtre du Lac"})
	h.want(t, operations.Done, op, err)
	a, err := h.records.AssociationBySlug(t.Context(), "theatre-du-lac")
	if err != nil || a.GroupID == "" || a.State != tenants.AssociationActive {
		t.Errorf("association is %+v, %v", a, err)
	}
	if _, err := h.desk.CreateAssociation(t.Context(), h.admin, provision.NewAssociation{Name: "Theatre du lac"}); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("taken slug: %v, want a fault", err)
	}
}

func TestReconcilerRepairsByOperationsAndLeavesStrangersAlone(t *testing.T) {
	h := newHouse(t)
	s := h.provisioned(t)
	h.run(t, nil)
	r := h.reconciler()
	h.world.StrayContainer("someone-elses", "s99999999")
	for _, harm := range []func(string){h.world.StopContainer, h.world.RemoveContainer} {
		harm(s.ID)
		if err := r.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		ops, _ := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, Limit: 1})
		if ops[0].Kind != provision.KindSiteRepair {
			t.Fatalf("newest operation is %s, want a repair", ops[0].Kind)
		}
		h.want(t, operations.Done, ops[0], nil)
	}
	want := []string{
		"container:" + h.world.Front(s.ID) + ":running", "container:someone-elses:running",
		"egress:" + s.ID, "files:" + s.ID, "database:" + s.Database(), "route:" + s.Host + ":serving",
		provisiontest.Sockets(s), "user:" + s.Database(),
	}
	if got := h.world.Inventory(); len(got) != len(want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

func TestPlansCanBeNamedWithoutPorts(t *testing.T) {
	named, carried := (&provision.Plans{}).Registry().All(), newHouse(t).registry.All()
	if len(named) != len(carried) || len(named) == 0 {
		t.Errorf("%d plans without ports, %d with", len(named), len(carried))
	}
}

func TestRepairsTakeNoSlotThatAPersonWaitsFor(t *testing.T) {
	h := newHouse(t)
	for _, plan := range h.registry.All() {
		repair := plan.Kind == provision.KindSiteRepair || plan.Kind == provision.KindSiteRest
		bulk := plan.Kind == provision.KindSiteBackup
		if (plan.Lane == operations.Repair) != repair || (plan.Lane == operations.Bulk) != bulk {
			t.Errorf("%s v%d is in lane %q", plan.Kind, plan.Version, plan.Lane)
		}
	}
}
