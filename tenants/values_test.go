package tenants_test

import (
	"errors"
	"testing"
	"time"

	"chatiere/tenants"
)

func TestASiteKnowsWhatItsStateMeans(t *testing.T) {
	for state, live := range map[tenants.SiteState]bool{
		tenants.StateCreating: true, tenants.StateReady: true, tenants.StateSuspended: true, tenants.StateBinned: true,
		tenants.StatePurged: false, tenants.StateAborted: false,
	} {
		if state.Live() != live {
			t.Errorf("%s is live: %v", state, !live)
		}
	}
	for from, back := range map[tenants.SiteState]tenants.SiteState{
		tenants.StateReady: tenants.StateReady, tenants.StateSuspended: tenants.StateSuspended, "": tenants.StateReady,
	} {
		if got := (tenants.Site{BinnedFrom: from}).Reopens(); got != back {
			t.Errorf("binned from %q it comes back %s", from, got)
		}
	}
	if _, binned := (tenants.Site{}).PurgeableAt(); binned {
		t.Error("one that is not in the bin can be purged")
	}
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	if due, binned := (tenants.Site{BinnedAt: &at}).PurgeableAt(); !binned || !due.Equal(at.AddDate(0, 0, 30)) {
		t.Errorf("it can be purged at %s, %v", due, binned)
	}
}

func TestDatabasesAndDataAreNamedAfterSiteAndGeneration(t *testing.T) {
	for generation, want := range map[int][2]string{0: {"site_s1", "data"}, 1: {"site_s1", "data"}, 2: {"site_s1_2", "data-2"}, 11: {"site_s1_11", "data-11"}} {
		s := tenants.Site{ID: "s1", Release: tenants.Release{Generation: generation}}
		if got := s.Database(); got != want[0] || tenants.DatabaseSite(got) != "s1" || tenants.DataDirectory(generation) != want[1] {
			t.Errorf("generation %d: database %q of %q, data in %q", generation, got, tenants.DatabaseSite(got), tenants.DataDirectory(generation))
		}
	}
	for _, engine := range []string{tenants.DatabasePostgreSQL, tenants.DatabaseNone} {
		r := tenants.Release{DatabaseEngine: engine}
		if got := (tenants.Site{ID: "s1", Release: r}).Database(); got != "" {
			t.Errorf("with %s it has database %q on the shared server", engine, got)
		}
		if r.Exclusive() != (engine == tenants.DatabasePostgreSQL) {
			t.Errorf("%s is exclusive: %v", engine, r.Exclusive())
		}
	}
	if got := tenants.DatabaseSite("mysql"); got != "" {
		t.Errorf("mysql is the database of %q", got)
	}
}

func TestAReleaseFindsItsContainersAndHooks(t *testing.T) {
	r := tenants.Release{Containers: []tenants.ReleaseContainer{{Name: "db", Container: "1"}, {Name: "web", Container: "2", Front: true}}}
	if r.Named("db").Container != "1" || r.Named("web").Container != "2" || r.Named("x").Container != "" || r.Front().Container != "2" {
		t.Errorf("got %+v, %+v, %+v, front %+v", r.Named("db"), r.Named("web"), r.Named("x"), r.Front())
	}
	if got := (tenants.Release{}).Front(); got.Container != "" {
		t.Errorf("the front of nothing is %+v", got)
	}
	d := tenants.Definition{Hooks: []tenants.Hook{{Name: "install"}, {Name: "cron", Container: "web"}}}
	if h, ok := d.Hook("cron"); !ok || h.Container != "web" {
		t.Errorf("got %+v, %v", h, ok)
	}
	if h, ok := d.Hook("backup"); ok || h.Name != "" {
		t.Errorf("got %+v, %v", h, ok)
	}
	for state, running := range map[string]bool{"running": true, "created": false, "exited": false, "restarting": false} {
		if (tenants.Container{State: state}).Running() != running || (tenants.ContainerSummary{State: state}).Running() != running {
			t.Errorf("a container that is %s runs: %v", state, !running)
		}
	}
}

func TestAScopeHoldsTheFindingsThatItNames(t *testing.T) {
	f := tenants.Finding{Area: tenants.AreaSite, Subject: "s1", Code: tenants.FindingTasksFail}
	for want, scopes := range map[bool][]tenants.FindingScope{
		true: {{Area: tenants.AreaSite}, {Area: tenants.AreaSite, Subjects: []string{"s0", "s1"}}, {Area: tenants.AreaSite, Codes: []tenants.FindingCode{tenants.FindingTasksFail}}},
		false: {
			{Area: tenants.AreaEgress}, {Area: tenants.AreaSite, Subjects: []string{"s0"}}, {Area: tenants.AreaSite, Subjects: []string{}},
			{Area: tenants.AreaSite, Codes: []tenants.FindingCode{}}, {Area: tenants.AreaEgress, Subjects: []string{"s1"}},
			{Area: tenants.AreaSite, Subjects: []string{"s0"}, Codes: []tenants.FindingCode{tenants.FindingTasksFail}},
		},
	} {
		for _, s := range scopes {
			if s.Holds(f) != want {
				t.Errorf("%+v holds it: %v", s, !want)
			}
		}
	}
	now := time.Now()
	if !f.Open() || (tenants.Finding{Ended: &now}).Open() {
		t.Error("a finding is open until it has ended")
	}
	for state, live := range map[tenants.GrantState]bool{
		tenants.GrantAsked: true, tenants.GrantGranted: true, tenants.GrantRefused: false, tenants.GrantRevoked: false,
	} {
		if state.Live() != live {
			t.Errorf("%s is live: %v", state, !live)
		}
	}
	if faults := (tenants.Faults{{Field: "name", Code: "missing"}}); !errors.Is(faults, tenants.ErrInvalid) || errors.Is(faults, tenants.ErrConflict) {
		t.Error("faults are not what is invalid")
	}
}
