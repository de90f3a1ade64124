package render_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/cmd/internal/render"
	"chatiere/reverseproxy"
	"chatiere/reverseproxy/egress"
	"chatiere/tenants"
)

type sites struct {
	list []tenants.Site
	err  error
}

func (s *sites) LiveSites(context.Context) ([]tenants.Site, error) { return s.list, s.err }

func newRoutes(t *testing.T, s *sites) *render.Routes {
	t.Helper()
	return &render.Routes{
		Path: filepath.Join(t.TempDir(), "routes.json"), PublicPort: 8443, Language: "fr", Domain: "lilas.coop", Sites: s, Now: time.Now,
		Platform: []reverseproxy.Route{{Host: "panel.lilas.coop", Site: "panel", State: reverseproxy.StateServing, Upstream: "unix:/run/panel.sock"}},
		Socket:   func(id, release string) string { return "/run/app/" + id + release + "/http.sock" },
		Refuse:   func(tenants.Site) ([]string, error) { return []string{"^/secret"}, nil },
	}
}

func table(t *testing.T, r *render.Routes) reverseproxy.Table {
	t.Helper()
	data, err := os.ReadFile(r.Path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := reverseproxy.DecodeTable(data)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSitesBelowTheDomainShareItAndOthersDoNot(t *testing.T) {
	s := &sites{list: []tenants.Site{
		{ID: "s000000001", Host: "amap.lilas.coop", State: tenants.StateReady},
		{ID: "s000000002", Host: "www.amap.example", State: tenants.StateReady},
	}}
	r := newRoutes(t, s)
	if err := r.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, route := range table(t, r).Routes {
		want := ""
		if route.Host == "amap.lilas.coop" {
			want = "lilas.coop"
		}
		if route.SharedDomain != want {
			t.Errorf("%s shares %q, want %q", route.Host, route.SharedDomain, want)
		}
	}
}

func TestTableFollowsTheRecords(t *testing.T) {
	s := &sites{list: []tenants.Site{
		{ID: "s000000001", Host: "ready.lilas.coop", State: tenants.StateReady},
		{ID: "s000000002", Host: "new.lilas.coop", State: tenants.StateCreating},
		{ID: "s000000003", Host: "closed.lilas.coop", State: tenants.StateSuspended},
		{ID: "s000000004", Host: "bin.lilas.coop", State: tenants.StateBinned},
	}}
	r := newRoutes(t, s)
	if err := r.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, route := range table(t, r).Routes {
		got[route.Host] = string(route.State) + " " + route.Upstream
	}
	want := map[string]string{
		"panel.lilas.coop":  "serving unix:/run/panel.sock",
		"ready.lilas.coop":  "serving unix:/run/app/s000000001/http.sock",
		"closed.lilas.coop": "refused unix:/run/app/s000000003/http.sock",
		"bin.lilas.coop":    "refused unix:/run/app/s000000004/http.sock",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("table %v, want %v: a site that is still being made must not be public", got, want)
	}
	for host, state := range map[string]string{"ready.lilas.coop": "serving", "new.lilas.coop": "", "closed.lilas.coop": "refused"} {
		if have, err := r.Published(t.Context(), host); err != nil || have != state {
			t.Errorf("Published(%s) = %q, %v; want %q", host, have, err, state)
		}
	}
}

func TestSameRecordsLeaveTheTableAloneAndChangedOnesRaiseItsVersion(t *testing.T) {
	s := &sites{list: []tenants.Site{{ID: "s000000001", Host: "a.lilas.coop", State: tenants.StateReady}}}
	r := newRoutes(t, s)
	for range 3 {
		if err := r.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if v := table(t, r).Version; v != 1 {
		t.Errorf("version %d after three publications of the same, want 1", v)
	}
	s.list[0].State = tenants.StateSuspended
	if err := r.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := table(t, r).Version; v != 2 {
		t.Errorf("version %d after a change, want 2", v)
	}
}

func TestASiteWhoseTemplateIsGoneHoldsUpNoOtherAndOpensNothing(t *testing.T) {
	s := &sites{list: []tenants.Site{{ID: "s000000001", Host: "a.lilas.coop", Template: "wordpress", State: tenants.StateReady}}}
	r := newRoutes(t, s)
	r.Refuse = func(s tenants.Site) ([]string, error) {
		if s.Template == "gone" {
			return nil, tenants.ErrNotFound
		}
		return []string{"^/secret"}, nil
	}
	if err := r.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.list[0].Template = "gone"
	s.list = append(s.list,
		tenants.Site{ID: "s000000002", Host: "b.lilas.coop", Template: "gone", State: tenants.StateReady},
		tenants.Site{ID: "s000000003", Host: "c.lilas.coop", Template: "wordpress", State: tenants.StateReady})
	if err := r.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, route := range table(t, r).Routes {
		got[route.Host] = string(route.State) + " " + strings.Join(route.Refuse, " ")
	}
	want := map[string]string{"panel.lilas.coop": "serving ", "a.lilas.coop": "serving ^/secret", "b.lilas.coop": "down ", "c.lilas.coop": "serving ^/secret"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDamagedTableIsReplacedAndUnreadableRecordsLeaveItAlone(t *testing.T) {
	s := &sites{}
	r := newRoutes(t, s)
	if err := os.WriteFile(r.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := table(t, r)
	s.err = errors.New("database is down")
	if err := r.Publish(t.Context()); err == nil {
		t.Error("publishing without records gave no error")
	}
	if after := table(t, r); !reflect.DeepEqual(before, after) {
		t.Error("the table changed although the records could not be read")
	}
}

func TestEgressListIsPublishedAsTheRecordsAsk(t *testing.T) {
	site := tenants.Site{ID: "s000000001", UID: 200001, Host: "a.lilas.coop"}
	allow := []egress.AllowedName{{Name: "api.wordpress.org", Ports: []int{443}}}
	e := &render.Egress{
		Dir:   t.TempDir(),
		Allow: func(context.Context, tenants.Site) ([]egress.AllowedName, error) { return allow, nil },
		Site:  func(context.Context, string) (tenants.Site, error) { return site, nil },
	}
	ask := func(want bool, when string) {
		t.Helper()
		if got, err := e.Published(t.Context(), site.ID); err != nil || got != want {
			t.Errorf("%s: published %v, %v; want %v", when, got, err, want)
		}
	}
	ask(false, "at first")
	if err := e.Publish(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	ask(true, "after publishing")
	allow = append(allow, egress.AllowedName{Name: "example.org", Ports: []int{443}})
	ask(false, "after a grant")
	if err := e.Publish(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	ask(true, "after publishing the grant")
	e.Senders = func(context.Context, tenants.Site) ([]string, error) { return []string{"amap.example"}, nil }
	ask(false, "after a sender was configured")
	if err := e.Publish(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	ask(true, "after publishing the sender")
	if l, err := egress.ReadList(filepath.Join(e.Dir, site.ID+".json")); err != nil || !slices.Equal(l.Senders, []string{"amap.example"}) {
		t.Errorf("published %+v, %v", l, err)
	}
	if err := e.Withdraw(t.Context(), site.ID); err != nil {
		t.Fatal(err)
	}
	ask(false, "after withdrawing")
	if err := e.Withdraw(t.Context(), site.ID); err != nil {
		t.Errorf("withdrawing twice: %v", err)
	}
}

func TestListsThatAreThereAreRenewedAndNoOthersMade(t *testing.T) {
	known := map[string]tenants.Site{
		"s000000001": {ID: "s000000001", UID: 200001, Host: "a.lilas.coop", State: tenants.StateReady},
		"s000000002": {ID: "s000000002", UID: 200002, Host: "b.lilas.coop", State: tenants.StateReady},
		"s000000003": {ID: "s000000003", UID: 200003, Host: "c.lilas.coop", State: tenants.StateReady},
		"s000000004": {ID: "s000000004", UID: 200004, Host: "d.lilas.coop", State: tenants.StatePurged},
	}
	allow := map[string][]egress.AllowedName{}
	broken := ""
	e := &render.Egress{
		Dir: t.TempDir(),
		Allow: func(_ context.Context, s tenants.Site) ([]egress.AllowedName, error) {
			if s.ID == broken {
				return nil, errors.New("template is away")
			}
			return allow[s.ID], nil
		},
		Site: func(_ context.Context, id string) (tenants.Site, error) { return known[id], nil },
	}
	for _, id := range []string{"s000000001", "s000000002", "s000000004"} {
		if err := e.Publish(t.Context(), known[id]); err != nil {
			t.Fatal(err)
		}
		allow[id] = []egress.AllowedName{{Name: "granted.example.org", Ports: []int{443}}}
	}
	broken = "s000000001"
	if err := e.Renew(t.Context()); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("a site's trouble was not told: %v", err)
	}
	for id, names := range map[string]int{"s000000001": 0, "s000000002": 1, "s000000004": 0} {
		l, err := egress.ReadList(filepath.Join(e.Dir, id+".json"))
		if err != nil || len(l.Allow) != names {
			t.Errorf("%s: %d names, want %d (%v)", id, len(l.Allow), names, err)
		}
	}
	if ids, err := e.IDs(t.Context()); err != nil || len(ids) != 3 {
		t.Errorf("lists of %v (%v): one was made for a site that had none", ids, err)
	}
}

func TestAwaitWaitsUntilTheProxyServesByTheTableInForce(t *testing.T) {
	s := &sites{}
	r := newRoutes(t, s)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.Publish(t.Context()))
	s.list = []tenants.Site{{ID: "s1", Host: "a.lilas.coop", State: tenants.StateReady}}
	must(r.Publish(t.Context()))
	asked := 0
	r.Serving = func(context.Context) (int64, error) {
		asked++
		switch asked {
		case 1:
			return 0, errors.New("connection refused")
		case 2:
			return 1, nil
		}
		return 2, nil
	}
	must(r.Await(t.Context()))
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	for name, version := range map[string]int64{"keeps the old table": 1, "has one from before ours was damaged": 57} {
		r.Serving = func(context.Context) (int64, error) { return version, nil }
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := r.Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a proxy that %s: %v", name, err)
		}
		cancel()
	}
}

// A proxy of before it told its version is upgraded after the worker.
func TestAwaitGivesAProxyThatDoesNotTellTimeToLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoutes(t, &sites{})
		if err := r.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Serving = func(context.Context) (int64, error) { return -1, nil }
		began := time.Now()
		if err := r.Await(t.Context()); err != nil || time.Since(began) < 4*time.Second || time.Since(began) > 10*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
