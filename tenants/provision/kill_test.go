package provision_test

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

// TestEveryPlanSurvivesAKillAtEveryPoint enumerates every step of every registered plan and every failure point, going
// forward and being undone, kills the runner there, and asks of its successor an end that leaves nothing over.
func TestEveryPlanSurvivesAKillAtEveryPoint(t *testing.T) { killEverywhere(t, "wordpress") }

func TestPlansOfSeveralContainersSurviveAKillAtEveryPoint(t *testing.T) { killEverywhere(t, "carnet") }

// An update brings the site into another mode.
func TestPlansOfSeveralModesSurviveAKillAtEveryPoint(t *testing.T) { killEverywhere(t, "vitrine") }

func killEverywhere(t *testing.T, template string) {
	for _, plan := range newHouse(t).registry.All() {
		for _, step := range plan.Steps {
			for _, point := range operations.Points() {
				for _, cancel := range []bool{false, true} {
					name := fmt.Sprintf("%s.%d/%s/%s/cancelled=%v", plan.Kind, plan.Version, step.Name, point, cancel)
					t.Run(name, func(t *testing.T) { t.Parallel(); kill(t, template, plan.Kind, plan.Version, step.Name, point, cancel) })
				}
			}
		}
	}
}

func kill(t *testing.T, template, kind string, version int, step string, point operations.Point, cancel bool) {
	h := newHouse(t)
	h.template = template
	start, forward, undone := h.begin(t, kind, version)
	op, err := start()
	if err != nil {
		t.Fatal(err)
	}
	last := op.Steps[len(op.Steps)-1].Name
	dead, over := make(chan struct{}), make(chan struct{})
	victim := &operations.Runner{
		Store: h.records, Registry: h.registry, Owner: "victim", Log: quiet(), Slots: operations.EachLane(1), Idle: 5 * time.Millisecond,
		Ended: func(operations.Operation) { close(over) },
		AtPoint: func(ctx context.Context, op operations.Operation, s string, p operations.Point) {
			if s == step && p == point {
				close(dead)
				select {} // as dead as a killed process
			}
			if cancel && s == last && p == operations.BeforeDo {
				// Fails the last step for good by cancelling before it is done: the whole plan is undone from its far end,
				// unless it lies behind the pivot.
				_ = h.records.Cancel(ctx, op.ID)
			}
		},
	}
	if cancel && len(op.Steps) == 1 {
		_ = h.records.Cancel(t.Context(), op.ID)
	}
	if cancel && kind == provision.KindSiteUpdate { // its last step lies behind the pivot: it fails before that
		h.world.DeafTo["sha256:wordpress2"] = true
	}
	go victim.Run(t.Context())
	select {
	case <-dead:
	case <-over: // the point does not lie on this operation's way
	case <-time.After(30 * time.Second):
		t.Fatal("neither killed nor ended")
	}
	if _, err := h.records.RevokeLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.run(t, nil)
	got := h.wait(t, op.ID)
	want := forward
	if got.State == operations.Undone {
		want = undone
	}
	if got.State == operations.Stuck {
		t.Fatalf("needs a person: %s %s", got.Problem, got.Detail)
	}
	if inventory := h.world.Inventory(); !reflect.DeepEqual(inventory, want()) {
		t.Errorf("%s: there is %v, want %v", got.State, inventory, want())
	}
	if h.world.Clashed {
		t.Error("two servers ran on the same data")
	}
}

// begin brings the house into the state the kind starts from, and returns how to ask for it and what must exist
// when it is done and when it is undone.
func (h *house) begin(t *testing.T, kind string, version int) (start func() (operations.Operation, error), done, undone func() []string) {
	t.Helper()
	ctx := t.Context()
	if kind == provision.KindAssociationCreate {
		start := func() (operations.Operation, error) {
			return h.desk.CreateAssociation(ctx, h.admin, provision.NewAssociation{Name: "Chorale"})
		}
		return start, fixed([]string{"group:chorale"}), fixed(nil)
	}
	if kind == provision.KindSiteProvision {
		start := func() (operations.Operation, error) { return h.desk.CreateSite(ctx, h.admin, h.wish()) }
		return start, func() []string { return h.expect(t, "running", "serving") }, fixed(nil)
	}
	s := h.provisioned(t)
	ask := func(fn func(context.Context, provision.Request, string) (operations.Operation, error)) func() (operations.Operation, error) {
		return func() (operations.Operation, error) { return fn(ctx, h.admin, s.ID) }
	}
	through := func(fn func(context.Context, provision.Request, string) (operations.Operation, error)) {
		stop := h.run(t, nil)
		defer stop()
		op, err := fn(ctx, h.admin, s.ID)
		h.want(t, operations.Done, op, err)
	}
	ready := func() []string { return h.expect(t, "running", "serving") }
	suspended := func() []string { return h.expect(t, "exited", "refused") }
	binned := func() []string { return h.expect(t, "", "refused") }
	switch kind {
	case provision.KindSiteSuspend:
		return ask(h.desk.SuspendSite), suspended, ready
	case provision.KindSiteResume:
		through(h.desk.SuspendSite)
		return ask(h.desk.ResumeSite), ready, suspended
	case provision.KindSiteDelete:
		return ask(h.desk.DeleteSite), binned, ready
	case provision.KindSiteRestore:
		through(h.desk.DeleteSite)
		return ask(h.desk.RestoreSite), ready, binned
	case provision.KindSitePurge:
		through(h.desk.DeleteSite)
		return ask(h.desk.PurgeSite), fixed(nil), binned
	case provision.KindSiteUpdate:
		before, old := h.site(t, s.ID), *h.world.Container(h.world.Front(s.ID))
		if version == 1 { // which makes no release
			plan, err := h.registry.Plan(kind, version)
			if err != nil {
				t.Fatal(err)
			}
			h.desk.Registry = operations.NewRegistry(plan)
			kept := func() []string { h.madeOf(t, before, old.ImageID, old); return ready() }
			update := func() (operations.Operation, error) { return h.desk.UpdateSite(ctx, h.admin, s.ID, "") }
			return update, kept, kept
		}
		mode := ""
		if h.template == "vitrine" {
			mode = "mutualise"
		}
		h.world.Newest.Change("sha256:wordpress2")
		through := func(image, mode string) func() []string {
			return func() []string {
				h.madeOf(t, before, image, old)
				if got := h.site(t, s.ID).Release.Mode; got != mode {
					t.Errorf("the mode is %q, want %q", got, mode)
				}
				return ready()
			}
		}
		update := func() (operations.Operation, error) { return h.desk.UpdateSite(ctx, h.admin, s.ID, mode) }
		return update, through("sha256:wordpress2", cmp.Or(mode, before.Release.Mode)), through(old.ImageID, before.Release.Mode)
	case provision.KindSiteBackup:
		h.world.Write(s, "files now", "rows now")
		saved := func() []string { h.savedOnce(t, s); return ready() }
		return ask(h.desk.BackUpSite), saved, ready
	case provision.KindSiteRecover:
		h.world.Write(s, "files then", "rows then")
		id := "of before PostgreSQL could be refused"
		if s.Release.DatabaseEngine == tenants.DatabasePostgreSQL {
			if err := h.records.SaveSnapshots(ctx, s.AssociationID, []tenants.Snapshot{{ID: id, SiteID: s.ID}}); err != nil {
				t.Fatal(err)
			}
		} else {
			through(h.desk.BackUpSite)
			id = h.world.Snapshots()[0].ID
		}
		h.world.Write(s, "files now", "rows now")
		start := func() (operations.Operation, error) { return h.desk.RecoverSite(ctx, h.admin, s.ID, id) }
		return start, func() []string { return h.recovered(t, s) }, func() []string { h.notRecovered(t, s); return ready() }
	case provision.KindSiteRepair, provision.KindSiteRest:
		return h.byReconciler(t, kind, version, s, through), func() []string {
			if kind == provision.KindSiteRest {
				return suspended()
			}
			return ready()
		}, func() []string { return h.world.Inventory() } // cancelled repairs may leave either state; the next round settles it
	}
	t.Fatalf("plan %s has no case here: say what it starts from and what it leaves", kind)
	return nil, nil, nil
}

func (h *house) byReconciler(t *testing.T, kind string, version int, s tenants.Site, through func(func(context.Context, provision.Request, string) (operations.Operation, error))) func() (operations.Operation, error) {
	return func() (operations.Operation, error) {
		if kind == provision.KindSiteRest {
			through(h.desk.SuspendSite)
			h.world.StartContainer(s.ID)
		} else {
			h.world.RemoveContainer(s.ID)
		}
		plan, err := h.registry.Plan(kind, version)
		if err != nil {
			return operations.Operation{}, err
		}
		if latest, err := h.registry.Latest(kind); err != nil || latest.Version == version {
			h.world.Drop(provisiontest.Sockets(s)) // which older plans cannot mend
		}
		r := h.reconciler()
		r.Registry = operations.NewRegistry(plan) // as a binary of then would ask
		if err := r.Reconcile(t.Context()); err != nil {
			return operations.Operation{}, err
		}
		ops, err := h.records.Operations(t.Context(), operations.Filter{SiteID: s.ID, LiveOnly: true})
		if err != nil || len(ops) != 1 || ops[0].Kind != kind || ops[0].PlanVersion != version {
			t.Fatalf("the reconciler asked for %v, %v; want one %s v%d", ops, err, kind, version)
		}
		return ops[0], nil
	}
}

// expect lists what one whole site is made of; container "" means that it has none.
func (h *house) expect(t *testing.T, container, route string) []string {
	t.Helper()
	sites, err := h.records.LiveSites(t.Context())
	if err != nil || len(sites) != 1 {
		t.Fatalf("%d live sites, %v", len(sites), err)
	}
	s := sites[0]
	var out []string
	out = append(out, "files:"+s.ID, "route:"+s.Host+":"+route, provisiontest.Sockets(s))
	if container != "" {
		out = append(out, "egress:"+s.ID)
		for _, c := range s.Release.Containers {
			out = append(out, "container:"+c.Container+":"+container)
		}
	}
	if s.Database() != "" {
		out = append(out, "database:"+s.Database(), "user:"+s.Database())
	}
	slices.Sort(out)
	return out
}

func fixed(list []string) func() []string { return func() []string { return list } }
