package provision_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

// houseOf is a house whose sites are of a template.
func houseOf(t *testing.T, template string) *house {
	t.Helper()
	h := newHouse(t)
	h.template = template
	return h
}

// name is that of a container of a site's present release.
func (h *house) name(t *testing.T, siteID, container string) string {
	t.Helper()
	return h.site(t, siteID).Release.Named(container).Container
}

// whole fails unless a site has exactly what it should have, and answers.
func (h *house) whole(t *testing.T, siteID string) {
	t.Helper()
	if there, want := h.world.Inventory(), h.expect(t, "running", "serving"); !reflect.DeepEqual(there, want) {
		t.Errorf("there is %v, want %v", there, want)
	}
	if err := h.plans.Private.Check(t.Context(), h.site(t, siteID), tenants.Page{}); err != nil {
		t.Errorf("it does not answer: %v", err)
	}
}

func TestSitesOfEveryTemplateLiveFromWishToPurge(t *testing.T) {
	for _, template := range []string{"carnet", "vitrine"} {
		t.Run(template, func(t *testing.T) {
			t.Parallel()
			h := houseOf(t, template)
			before := h.world.Inventory()
			s := h.provisioned(t)
			h.whole(t, s.ID)
			h.run(t, nil)
			do := func(fn func(context.Context, provision.Request, string) (operations.Operation, error)) {
				t.Helper()
				op, err := fn(t.Context(), h.admin, s.ID)
				h.want(t, operations.Done, op, err)
			}
			do(h.desk.SuspendSite)
			do(h.desk.ResumeSite)
			h.whole(t, s.ID)
			h.world.Newest.Change(newImage)
			op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
			h.want(t, operations.Done, op, err)
			h.whole(t, s.ID)
			if got := h.site(t, s.ID).Release; got.Number != 2 || got.Front().ImageID != newImage {
				t.Errorf("updated, it has %+v", got)
			}
			if err := h.plans.Halt(t.Context(), h.site(t, s.ID)); err != nil {
				t.Fatal(err)
			}
			for _, c := range h.site(t, s.ID).Release.Containers {
				if h.world.Container(c.Container).Running() {
					t.Errorf("frozen, %s runs", c.Container)
				}
			}
			do(h.desk.SuspendSite)
			do(h.desk.ResumeSite)
			do(h.desk.DeleteSite)
			do(h.desk.RestoreSite)
			h.whole(t, s.ID)
			do(h.desk.DeleteSite)
			do(h.desk.PurgeSite)
			if after := h.world.Inventory(); !reflect.DeepEqual(before, after) || h.world.Clashed {
				t.Errorf("after the purge there is %v, before there was %v; clashed: %v", after, before, h.world.Clashed)
			}
		})
	}
}

// What the engine shows of the containers does not tell: they all run, or none of them can be started.
func TestTheReconcilerBringsBackASharedNetwork(t *testing.T) {
	for name, spoil := range map[string]func(*house, func(container string) string){
		"the owner was restarted": func(h *house, name func(string) string) { h.world.RestartNamed(name("net")) },
		"the owner was stopped":   func(h *house, name func(string) string) { h.world.StopNamed(name("net")) },
		"the owner is gone":       func(h *house, name func(string) string) { h.world.RemoveNamed(name("net")) },
		"the owner was changed":   func(h *house, name func(string) string) { h.world.ChangeNamed(name("net"), "Memory") },
		"one was changed":         func(h *house, name func(string) string) { h.world.ChangeNamed(name("db"), "Memory") },
		"one is gone":             func(h *house, name func(string) string) { h.world.RemoveNamed(name("app")) },
		"the engine started the owner only": func(h *house, name func(string) string) {
			h.world.RestartNamed(name("net"))
			h.world.StopNamed(name("db"))
			h.world.StopNamed(name("app"))
		},
		"the engine started nothing": func(h *house, name func(string) string) {
			for _, c := range []string{"net", "db", "app"} {
				h.world.StopNamed(name(c))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := houseOf(t, "carnet")
			s := h.provisioned(t)
			spoil(h, func(container string) string { return h.name(t, s.ID, container) })
			r := h.reconciler()
			for range 5 { // each site is compared in full in one round of five
				if err := r.Reconcile(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			ops, err := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, LiveOnly: true})
			if err != nil || len(ops) != 1 || ops[0].Kind != provision.KindSiteRepair {
				t.Fatalf("the reconciler asked for %v (%v)", ops, err)
			}
			h.run(t, nil)
			h.want(t, operations.Done, ops[0], nil)
			h.whole(t, s.ID)
			if got := h.site(t, s.ID).Release; got.ID != s.Release.ID || h.world.Clashed {
				t.Errorf("the release is %+v, clashed: %v", got, h.world.Clashed)
			}
			h.reconciled(t)
			if live, err := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, LiveOnly: true}); err != nil || len(live) > 0 {
				t.Errorf("repaired, it is repaired again: %v (%v)", live, err)
			}
		})
	}
}

// Its successors do not get well: the containers that made room come back, in the network they had.
func TestARepairOfASharedNetworkThatFailsGivesBackWhatWasThere(t *testing.T) {
	t.Parallel()
	h := houseOf(t, "carnet")
	s := h.provisioned(t)
	h.world.ChangeNamed(h.name(t, s.ID, "net"), "Memory")
	h.world.BrokenImages[s.Release.Front().ImageID] = true // also what was there, but it comes back all the same
	before := []string{}
	for _, c := range s.Release.Containers {
		before = append(before, h.world.Container(c.Container).ID)
	}
	r := h.reconciler()
	for range 5 {
		if err := r.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ops, err := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, LiveOnly: true})
	if err != nil || len(ops) != 1 {
		t.Fatalf("the reconciler asked for %v (%v)", ops, err)
	}
	h.run(t, nil)
	h.want(t, operations.Undone, ops[0], nil)
	delete(h.world.BrokenImages, s.Release.Front().ImageID)
	var after []string
	for _, c := range s.Release.Containers {
		after = append(after, h.world.Container(c.Container).ID)
	}
	if !slices.Equal(before, after) {
		t.Errorf("the containers are %v, were %v", after, before)
	}
	h.whole(t, s.ID)
}

// The owner is gone, so that the others could not be started again: they do not wait beside their successors.
func TestARepairOfASharedNetworkCanBeCancelled(t *testing.T) {
	h := houseOf(t, "carnet")
	s := h.provisioned(t)
	h.world.RemoveNamed(h.name(t, s.ID, "net"))
	h.reconciled(t)
	ops, err := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, LiveOnly: true})
	if err != nil || len(ops) != 1 {
		t.Fatalf("the reconciler asked for %v (%v)", ops, err)
	}
	h.run(t, func(ctx context.Context, op operations.Operation, step string, p operations.Point) {
		if step == "ready" && p == operations.BeforeDo {
			_ = h.records.Cancel(ctx, op.ID)
		}
	})
	h.want(t, operations.Undone, ops[0], nil)
	h.whole(t, s.ID)
}

// Two servers on the same files would destroy them: the old release stops before the new one starts, and comes back when that
// does not get well.
func TestAnUpdateOfASiteWithItsOwnDatabaseNeverRunsTwoServers(t *testing.T) {
	t.Parallel()
	h := houseOf(t, "carnet")
	s := h.provisioned(t)
	h.world.Newest.Change(newImage)
	h.world.BrokenImages[newImage] = true
	h.run(t, nil)
	op, err := h.desk.UpdateSite(t.Context(), h.admin, s.ID, "")
	h.want(t, operations.Undone, op, err)
	h.whole(t, s.ID)
	if got := h.site(t, s.ID).Release; got.ID != s.Release.ID || h.world.Clashed {
		t.Errorf("the release is %+v, clashed: %v", got, h.world.Clashed)
	}
}

func TestASiteWithItsOwnDatabaseHasNoneOfTheSharedServer(t *testing.T) {
	h := houseOf(t, "carnet")
	s := h.provisioned(t)
	found := &kept{}
	r := h.reconciler()
	r.Findings = found
	if err := r.Reconcile(t.Context()); err != nil || len(found.last) > 0 {
		t.Errorf("found %+v (%v)", found.last, err)
	}
	if _, err := h.plans.RunHook(t.Context(), s, "dump"); err != nil {
		t.Error(err)
	}
	h.world.StopNamed(h.name(t, s.ID, "db"))
	if _, err := h.plans.RunHook(t.Context(), s, "dump"); err == nil {
		t.Error("the hook ran elsewhere than in the container that it names")
	}
}

// kept keeps what was found last.
type kept struct{ last []tenants.Finding }

func (k *kept) Replace(_ context.Context, _ tenants.FindingScope, seen []tenants.Finding) error {
	k.last = seen
	return nil
}

func TestAModeIsAskedForKeptAndChanged(t *testing.T) {
	h := houseOf(t, "vitrine")
	h.run(t, nil)
	readOnly := func(id string) bool {
		d, err := h.plans.Definition(t.Context(), h.site(t, id))
		if err != nil {
			t.Fatal(err)
		}
		return len(d.Containers[0].Mounts) == 1 && d.Containers[0].Mounts[0].ReadOnly
	}
	wish := h.wish()
	wish.Mode = "mutualise"
	op, err := h.desk.CreateSite(t.Context(), h.admin, wish)
	h.want(t, operations.Done, op, err)
	id := op.SiteID
	check := func(doing, mode string, number int) {
		t.Helper()
		if got := h.site(t, id).Release; got.Mode != mode || got.Number != number || readOnly(id) != (mode == "mutualise") {
			t.Errorf("%s: release %d in mode %q, read-only: %v; want %d in %q", doing, got.Number, got.Mode, readOnly(id), number, mode)
		}
	}
	check("created", "mutualise", 1)
	for _, c := range []struct {
		doing, ask, want string
		image            string
		number           int
	}{
		{"changed", "autonome", "autonome", provisiontest.FirstImage, 2},
		{"asked for what it has", "autonome", "autonome", provisiontest.FirstImage, 2},
		{"changed back", "mutualise", "mutualise", provisiontest.FirstImage, 3},
		{"updated", "", "mutualise", newImage, 4},
	} {
		h.world.Newest.Change(c.image)
		op, err := h.desk.UpdateSite(t.Context(), h.admin, id, c.ask)
		h.want(t, operations.Done, op, err)
		check(c.doing, c.want, c.number)
		h.reconciled(t)
		if h.site(t, id).UpdateAvailable {
			t.Errorf("%s: an update is offered", c.doing)
		}
	}
	wish.Host, wish.Mode = "other", ""
	op, err = h.desk.CreateSite(t.Context(), h.admin, wish)
	h.want(t, operations.Done, op, err)
	id = op.SiteID
	check("created without a wish", "autonome", 1)
	wish.Template, wish.Host = "carnet", "fourth"
	op, err = h.desk.CreateSite(t.Context(), h.admin, wish)
	h.want(t, operations.Done, op, err)
	other, err := h.desk.UpdateSite(t.Context(), h.admin, op.SiteID, "mutualise")
	h.want(t, operations.Done, other, err)
	if got := h.site(t, op.SiteID).Release; got.Mode != "mutualise" || got.Number != 2 {
		t.Errorf("changed to a mode that makes no difference, it has %+v", got)
	}
	wish.Host, wish.Mode = "third", "shared"
	var faults tenants.Faults
	if _, err := h.desk.CreateSite(t.Context(), h.admin, wish); !errors.As(err, &faults) || faults[0].Field != "mode" {
		t.Errorf("created in a mode that there is not: %v", err)
	}
	if _, err := h.desk.UpdateSite(t.Context(), h.admin, id, "shared"); !errors.As(err, &faults) || faults[0].Field != "mode" {
		t.Errorf("updated to a mode that there is not: %v", err)
	}
}
