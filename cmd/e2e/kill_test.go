//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/failpoint"
	"chatiere/cmd/internal/inventory"
	"chatiere/cmd/internal/wire"
	"chatiere/panel/api"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

const (
	// converge is what a restarted worker gets to finish or undo what its predecessor left.
	converge = 60 * time.Second
	// reach is what operations get to arrive where they are held.
	reach = 2 * time.Minute
)

// TestEveryPlanSurvivesSIGKILLAtEveryPoint enumerates by itself every step of every registered plan and every failure
// point, holds operations there in the real worker, kills its container, starts it again, and wants within a minute that
// each is finished or undone and that nothing is left over. One kill serves all the points of a plan in one direction.
func TestEveryPlanSurvivesSIGKILLAtEveryPoint(t *testing.T) {
	k := newKiller(t)
	for _, plan := range (&provision.Plans{}).Registry().All() {
		if !slices.Contains(killOrder, plan.Kind) && !slices.Contains(killedElsewhere, plan.Kind) {
			t.Errorf("plan %s has no place in killOrder: say from where it starts", plan.Kind)
		}
	}
	for _, kind := range killOrder {
		plan, err := (&provision.Plans{}).Registry().Latest(kind)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(kind, func(t *testing.T) {
			k.T = t
			k.backward(plan)
			k.forward(plan)
		})
	}
	t.Logf("%d points killed, %d operations", k.points, k.operations)
}

// killOrder leads the pool of sites through their lives, so that each plan finds sites in the state it starts from.
var killOrder = []string{
	provision.KindAssociationCreate, provision.KindSiteProvision, provision.KindSiteSuspend, provision.KindSiteRest,
	provision.KindSiteResume, provision.KindSiteRepair, provision.KindSiteUpdate, provision.KindSiteDelete,
	provision.KindSiteRestore, provision.KindSitePurge,
}

// killedElsewhere are plans whose worker is killed in TestASiteComesBackFromItsBackup; their every point is only tried with
// fakes, in the tests of provision.
var killedElsewhere = []string{provision.KindSiteBackup, provision.KindSiteRecover}

// killer holds the pool of sites that the plans work on.
type killer struct {
	*testing.T
	*instance
	dir                string            // of the failure points
	pool               []string          // ids of sites
	slugs              map[string]string // of associations, by operation
	points, operations int
}

func newKiller(t *testing.T) *killer {
	k := &killer{T: t, instance: open(t), dir: needed(t, "CHATIERE_TEST_HOLD"), slugs: map[string]string{}}
	k.disarm()
	before := k.inventory(t)
	t.Cleanup(func() {
		k.T = t
		k.disarm()
		k.bury()
		k.dissolve()
		if more, less := leftOver(before, k.inventory(t)); len(more)+len(less) > 0 && !t.Failed() {
			t.Errorf("at the end there is more: %v\nand less: %v", more, less)
		}
	})
	return k
}

// ctx goes on in the test's clean-up, when its own context is over.
func (k *killer) ctx() context.Context { return context.WithoutCancel(k.Context()) }

func (k *killer) disarm() {
	k.Helper()
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		k.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() { // of the operations' last words
			continue
		}
		if err := os.Remove(filepath.Join(k.dir, e.Name())); err != nil {
			k.Fatal(err)
		}
	}
}

func (k *killer) arm(name string) {
	k.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), nil, 0o600); err != nil {
		k.Fatal(err)
	}
}

// held returns how many operations stand still.
func (k *killer) held() int {
	found, _ := filepath.Glob(filepath.Join(k.dir, "*.held"))
	return len(found)
}

// forward holds one operation at each point of the plan on its way forward, kills, and wants all of them done.
func (k *killer) forward(plan operations.Plan) {
	var points []string
	for _, s := range plan.Steps {
		for _, p := range []operations.Point{operations.BeforeDo, operations.AfterDo, operations.AfterCommit} {
			points = append(points, failpoint.Name(plan.Kind, s.Name, p))
		}
	}
	for _, p := range points {
		k.arm(p)
	}
	ops := k.begin(plan.Kind, len(points))
	k.awaitHeld(len(points))
	k.die(nil)
	k.settled(plan.Kind, ops, operations.Done)
	k.points += len(points)
}

// backward holds operations before the last step that can still be undone, asks for their end, kills; its successor is
// held at each point of undoing and killed as well; the third life has to undo them all.
func (k *killer) backward(plan operations.Plan) {
	last := len(plan.Steps) - 1
	for i, s := range plan.Steps {
		if s.Pivot {
			last = i
		}
	}
	var points []string
	for _, s := range plan.Steps[:last+1] {
		for _, p := range []operations.Point{operations.BeforeUndo, operations.AfterUndo, operations.AfterUndoCommit} {
			points = append(points, failpoint.Name(plan.Kind, s.Name, p))
		}
	}
	k.arm(failpoint.Name(plan.Kind, plan.Steps[last].Name, operations.BeforeDo) + ".all")
	ops := k.begin(plan.Kind, len(points))
	k.awaitHeld(len(points))
	for _, id := range ops {
		if err := k.panel.Post(k.ctx(), api.Item(api.PathOperations, id, "cancel"), nil, "", nil); err != nil {
			k.Fatalf("cancelling %s: %v", id, explain(err))
		}
	}
	k.die(points)
	k.awaitHeld(len(points))
	k.die(nil)
	k.settled(plan.Kind, ops, operations.Undone)
	k.points += len(points)
}

func (k *killer) awaitHeld(n int) {
	k.Helper()
	eventually(k.T, reach, fmt.Sprintf("%d operations at their points", n), func() (bool, string) {
		return k.held() == n, fmt.Sprintf("%d are", k.held())
	})
}

// die kills the worker where it stands and starts it again with other points armed.
func (k *killer) die(points []string) {
	k.Helper()
	k.kill(k.T, "worker")
	k.disarm()
	for _, p := range points {
		k.arm(p)
	}
	k.start(k.T, "worker")
}

// settled wants every operation in its end state within the time, and the machine to hold exactly what the records say.
func (k *killer) settled(kind string, ids []string, want operations.State) {
	k.Helper()
	k.operations += len(ids)
	began := time.Now()
	for _, id := range ids {
		var op api.Operation
		eventually(k.T, converge-time.Since(began), "operation "+id+" of "+kind, func() (bool, string) {
			if err := k.panel.Get(k.ctx(), api.Item(api.PathOperations, id), &op); err != nil {
				return false, err.Error()
			}
			return op.Ended(), op.State + " " + op.Problem + " " + op.Detail
		})
		if op.State != string(want) {
			k.Errorf("%s %s ended %s (%s %s), want %s", kind, id, op.State, op.Problem, op.Detail, want)
		}
	}
	switch {
	case kind == provision.KindAssociationCreate:
		k.grouped(ids, want)
	case kind == provision.KindSiteProvision && want == operations.Undone:
		k.pool = nil
	case kind == provision.KindSiteRest && want == operations.Undone:
		// Cancelled, so what a stranger started goes on: that is what cancelling it means.
		for _, id := range k.pool {
			run(k.T, "docker", "stop", k.container(id))
		}
	}
	k.truthful()
	if kind == provision.KindSiteProvision && want == operations.Done {
		k.trim()
	}
}

// grouped wants each association's three groups there, or none of them.
func (k *killer) grouped(ids []string, want operations.State) {
	k.Helper()
	groups := k.groups(k.T)
	for _, id := range ids {
		var op api.Operation
		if err := k.panel.Get(k.ctx(), api.Item(api.PathOperations, id), &op); err != nil {
			k.Fatal(explain(err))
		}
		for _, path := range []string{k.slugs[id], k.slugs[id] + "/gestion", k.slugs[id] + "/membres"} {
			if there := slices.Contains(groups, "group /assos/"+path); there != (want == operations.Done) {
				k.Errorf("group %s is there: %v, but the association's operation ended %s", path, there, want)
			}
		}
	}
}

// poolSize is enough for the plan with the most points among those that need sites to start from.
func poolSize() int {
	most := 0
	for _, plan := range (&provision.Plans{}).Registry().All() {
		if plan.Kind != provision.KindSiteProvision && plan.Kind != provision.KindAssociationCreate && slices.Contains(killOrder, plan.Kind) {
			most = max(most, 3*len(plan.Steps)) // one operation for each point of a step, in one direction
		}
	}
	return most
}

// trim takes the sites away that no later plan needs.
func (k *killer) trim() {
	k.Helper()
	size := poolSize()
	if len(k.pool) < size {
		k.Fatalf("%d sites to work on, %d are needed", len(k.pool), size)
	}
	keep := k.pool[:size]
	k.pool = k.pool[size:]
	k.bury()
	k.pool = keep
}

// begin asks for n operations of a kind and returns their ids.
func (k *killer) begin(kind string, n int) []string {
	k.Helper()
	switch kind {
	case provision.KindAssociationCreate:
		return k.times(n, func(int) string {
			slug := "kill-" + random()
			id := k.wish(k.T, api.PathAssociations, api.NewAssociation{Name: slug, Slug: slug}).ID
			k.slugs[id] = slug
			return id
		})
	case provision.KindSiteProvision:
		k.pool = nil
		return k.times(n, func(int) string {
			op := k.wish(k.T, api.PathSites, k.siteWish("Kill "+random()))
			k.pool = append(k.pool, op.Site)
			return op.ID
		})
	case provision.KindSiteRepair, provision.KindSiteRest:
		return k.byReconciler(kind, n)
	}
	act := strings.TrimPrefix(kind, "site.")
	from := map[string]string{
		"suspend": "ready", "resume": "suspended", "delete": "ready", "restore": "binned", "purge": "binned",
		"update": "ready",
	}[act]
	k.bring(from)
	return k.times(n, func(i int) string { return k.wish(k.T, api.Item(api.PathSites, k.pool[i], act), nil).ID })
}

func (k *killer) times(n int, fn func(i int) string) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fn(i))
	}
	return ids
}

// byReconciler brings sites' containers out of step with their records and has the reconciler see it.
func (k *killer) byReconciler(kind string, n int) []string {
	k.Helper()
	state, other := "ready", "suspended"
	if kind == provision.KindSiteRest {
		state, other = other, state
	}
	k.bring(other) // or the reconciler would pause after a repair that was cancelled
	k.bring(state)
	run(k.T, "docker", "stop", k.container("worker"))
	for _, id := range k.pool[:n] {
		if kind == provision.KindSiteRest {
			run(k.T, "docker", "start", k.container(id))
		} else {
			run(k.T, "docker", "rm", "-f", k.container(id))
		}
	}
	k.start(k.T, "worker") // reconciles at once
	return k.times(n, func(i int) string { return k.newest(k.pool[i], kind) })
}

// newest returns a site's live operation of a kind, once there is one.
func (k *killer) newest(site, kind string) (id string) {
	k.Helper()
	eventually(k.T, reach, "a "+kind+" of "+site, func() (bool, string) {
		var l api.List[api.Operation]
		if err := k.panel.Get(k.ctx(), api.PathOperations+"?site="+site, &l); err != nil {
			return false, explain(err)
		}
		for _, op := range l.Items {
			if op.Site == site && op.Kind == kind && !op.Ended() {
				id = op.ID
				return true, ""
			}
		}
		return false, "none"
	})
	return id
}

// ways lead from one state to another by wishes.
var ways = map[string]map[string][]string{
	"ready":     {"suspended": {"suspend"}, "binned": {"delete"}},
	"suspended": {"ready": {"resume"}, "binned": {"resume", "delete"}}, // deleted as it is, it would come back suspended
	"binned":    {"ready": {"restore"}, "suspended": {"restore", "suspend"}},
}

// bring leads every site of the pool into a state.
func (k *killer) bring(state string) {
	k.Helper()
	for {
		moved := false
		var ops []api.Operation
		for _, id := range k.pool {
			s := k.site(k.T, id)
			if s.State == state {
				continue
			}
			way := ways[s.State][state]
			if len(way) == 0 {
				k.Fatalf("site %s is %s: no way to %s", id, s.State, state)
			}
			moved = true
			ops = append(ops, k.wish(k.T, api.Item(api.PathSites, id, way[0]), nil))
		}
		for _, op := range ops {
			k.done(k.T, op, reach)
		}
		if !moved {
			return
		}
	}
}

// bury empties the pool.
func (k *killer) bury() {
	k.Helper()
	var l api.List[api.Site] // of the sites of which more than the record is left
	if err := k.panel.Get(k.ctx(), api.PathSites, &l); err != nil {
		k.Fatal(explain(err))
	}
	k.pool = slices.DeleteFunc(k.pool, func(id string) bool {
		return !slices.ContainsFunc(l.Items, func(s api.Site) bool { return s.ID == id })
	})
	k.bring("binned")
	for _, id := range k.pool {
		k.done(k.T, k.wish(k.T, api.Item(api.PathSites, id, "purge"), nil), reach)
	}
}

// dissolve takes the associations' groups away again.
func (k *killer) dissolve() {
	k.Helper()
	client, err := wire.Keycloak(k.config)
	if err != nil {
		k.Fatal(err)
	}
	for _, slug := range k.slugs {
		if err := client.DeleteGroup(k.ctx(), "/assos/"+slug); err != nil {
			k.Errorf("removing the groups of %s: %v", slug, err)
		}
	}
}

// truthful wants the machine to hold, for every site, what its state promises, and of every other nothing.
func (k *killer) truthful() {
	k.Helper()
	var l api.List[api.Site]
	if err := k.panel.Get(k.ctx(), api.PathSites, &l); err != nil {
		k.Fatal(explain(err))
	}
	leftOver, missing, err := inventory.Machine{Config: k.config}.Against(k.inventory(k.T), l.Items)
	if err != nil {
		k.Error(err)
	}
	for _, thing := range leftOver {
		k.Errorf("left over: %s", thing)
	}
	for _, thing := range missing {
		k.Errorf("missing: %s", thing)
	}
}
