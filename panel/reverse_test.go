package panel_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// What the co-op did is not undone by a manager, at whichever door; the pages do not offer it either.
func TestNoDoorLetsAManagerUndoWhatTheCoopDid(t *testing.T) {
	w := newWorld(t)
	w.towns()
	manager, coop := w.signIn(lea), w.signIn(ana)
	token := who{bearer: w.newToken(manager, "write")}
	for _, kind := range []string{provision.KindSiteSuspend, provision.KindSiteDelete, provision.KindSiteRestore, provision.KindSiteRepair, provision.KindSitePurge} {
		for act, state := range map[string]operations.State{"/cancel": operations.Running, "/retry": operations.Stuck} {
			op := w.asked(own, kind, tenants.SideCoop, state)
			page := w.do(manager, ask{path: "/operations/" + op.ID})
			lacks(t, page, "/operations/"+op.ID+act)
			before := w.written()
			for name, r := range map[string]reply{
				"page": w.do(manager, ask{method: "POST", path: "/operations/" + op.ID + act}),
				"api":  w.do(manager, ask{method: "POST", path: "/api/v1/operations/" + op.ID + act, json: "{}"}),
				"key":  w.do(token, ask{method: "POST", path: "/api/v1/operations/" + op.ID + act, json: "{}"}),
			} {
				if r.status != http.StatusForbidden {
					t.Errorf("%s %s by a manager's %s answers %d", kind, act, name, r.status)
				}
			}
			if after := w.written(); after != before {
				t.Errorf("%s %s by a manager wrote: %s, was %s", kind, act, after, before)
			}
			contains(t, w.do(coop, ask{path: "/operations/" + op.ID}), "/operations/"+op.ID+act)
		}
	}
	x := w.site(own, tenants.StateBinned)
	x.BinnedBy = tenants.SideCoop
	must(t, w.records.UpdateSite(t.Context(), x))
	for _, page := range []string{"/sites/" + x.ID, "/bin"} {
		lacks(t, w.do(manager, ask{path: page}), "/sites/"+x.ID+"/restore")
		contains(t, w.do(coop, ask{path: page}), "/sites/"+x.ID+"/restore")
	}
	contains(t, w.do(manager, ask{path: "/bin"}), "elle seule peut le rétablir")
	for _, r := range []reply{
		w.do(manager, ask{method: "POST", path: "/sites/" + x.ID + "/restore"}),
		w.do(token, ask{method: "POST", path: "/api/v1/sites/" + x.ID + "/restore", json: "{}"}),
	} {
		if r.status != http.StatusForbidden {
			t.Errorf("restoring what the co-op deleted answers %d", r.status)
		}
		if strings.Contains(r.body, "sans droit de gestion") {
			t.Error("a manager is told to be no manager")
		}
	}
}

// While nobody can tell whether its maker still has these rights, a token reads and changes nothing.
func TestATokenWhoseRightsAreOldChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.towns()
	token := who{bearer: w.newToken(w.signIn(lea), "write")}
	x := w.site(own, tenants.StateReady)
	w.store.SetRightsAge(11*time.Minute, true)
	before := w.written()
	if r := w.do(token, ask{method: "POST", path: "/api/v1/sites/" + x.ID + "/delete", json: "{}"}); r.status != http.StatusServiceUnavailable {
		t.Errorf("a change answers %d: %s", r.status, r.body)
	}
	if after := w.written(); after != before {
		t.Errorf("something was written: %s, was %s", after, before)
	}
	if r := w.do(token, ask{path: "/api/v1/sites/" + x.ID}); r.status != http.StatusOK {
		t.Errorf("reading answers %d", r.status)
	}
	w.store.SetRightsAge(time.Minute, true)
	if r := w.do(token, ask{method: "POST", path: "/api/v1/sites/" + x.ID + "/delete", json: "{}"}); r.status != http.StatusAccepted {
		t.Errorf("once they are read again, it answers %d: %s", r.status, r.body)
	}
}
