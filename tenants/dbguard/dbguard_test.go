package dbguard_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/dbguard"
	"chatiere/tenants/freeze"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

const mib = 1 << 20

// house is a database server with two sites, and everything the guard does to them.
type house struct {
	now      time.Time
	sites    []tenants.Site
	loads    []dbguard.Load
	away     error
	did      []string
	locked   map[string]bool
	size     int64
	may      map[string]bool
	asked    int // how often sites were listed
	findings []tenants.Finding
	guard    *dbguard.Guard

	notes     []dbguard.Note
	deaths    []dbguard.Death
	died      int
	lockFault error
}

func newHouse() *house {
	h := &house{now: time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC), locked: map[string]bool{}, may: map[string]bool{}, size: 12 * mib}
	for _, id := range []string{"s000000001", "s000000002"} {
		h.sites = append(h.sites, tenants.Site{ID: id, State: tenants.StateReady})
	}
	h.restart()
	return h
}

// restart begins with a worker that remembers nothing.
func (h *house) restart() {
	now, log := func() time.Time { return h.now }, slog.New(slog.DiscardHandler)
	h.guard = &dbguard.Guard{
		Server: h, Records: h, Now: now, Log: log, TemporarySize: func() (int64, error) { return h.size, nil },
		Temporary: func(name string) bool { return h.may[name] }, Deaths: h,
		Freezer: &freeze.Freezer{
			Records: h, Requests: h, Findings: h, Area: tenants.AreaDatabase, Code: tenants.FindingDatabaseLocked, Now: now, Log: log,
			Stop: func(_ context.Context, s tenants.Site) error { h.did = append(h.did, "stop "+s.ID); return nil },
		},
	}
}

func (h *house) Loads(context.Context) ([]dbguard.Load, error) { return h.loads, h.away }
func (h *house) Kill(_ context.Context, name string) error {
	h.did = append(h.did, "kill "+name)
	return nil
}
func (h *house) Lock(_ context.Context, name string) error {
	if h.lockFault != nil {
		return h.lockFault
	}
	h.did, h.locked[name] = append(h.did, "lock "+name), true
	return nil
}
func (h *house) Unlock(_ context.Context, name string) error {
	h.did, h.locked[name] = append(h.did, "unlock "+name), false
	return nil
}
func (h *house) LiveSites(context.Context) ([]tenants.Site, error) {
	h.asked++
	return h.sites, nil
}
func (h *house) Findings(context.Context, tenants.FindingFilter) ([]tenants.Finding, error) {
	return h.findings, nil
}
func (h *house) Replace(_ context.Context, _ tenants.FindingScope, seen []tenants.Finding) error {
	h.findings = seen
	return nil
}
func (h *house) Operation(_ context.Context, id string) (operations.Operation, error) {
	return operations.Operation{ID: id, State: operations.Done}, nil
}
func (h *house) SuspendSite(_ context.Context, r provision.Request, id string) (operations.Operation, error) {
	if tenants.Authorize(r.Principal, tenants.ActSiteSuspend, "lilas") != nil {
		return operations.Operation{}, tenants.ErrForbidden
	}
	h.set(id, tenants.StateSuspended)
	return operations.Operation{ID: "01suspend"}, nil
}

func (h *house) KeepSuspended(context.Context, provision.Request, string) error { return nil }

func (h *house) set(id string, state tenants.SiteState) {
	for i := range h.sites {
		if h.sites[i].ID == id {
			h.sites[i].State = state
		}
	}
}

func (h *house) look(t *testing.T, times int) string {
	t.Helper()
	h.did = nil
	for range times {
		h.now = h.now.Add(time.Second)
		if err := h.guard.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(h.did, ", ")
}

func (h *house) wants(t *testing.T, doing string, times int, want string) {
	t.Helper()
	if did := h.look(t, times); did != want {
		t.Errorf("%s: did %q, want %q", doing, did, want)
	}
}

const greedy, quiet = "site_s000000001", "site_s000000002"

func TestASiteThatOverdoesItIsEndedThenLockedAndFrozen(t *testing.T) {
	for what, load := range map[string]dbguard.Load{
		"memory":          {Database: greedy, Memory: 100 * mib},
		"temporary files": {Database: greedy, Temporary: 50 * mib},
		"statements":      {Database: greedy, Running: 3 * time.Minute},
	} {
		h := newHouse()
		h.wants(t, what+": nothing yet", 3, "")
		h.loads = []dbguard.Load{load, {Database: quiet, Connections: 20, Memory: 10 * mib, Running: 40 * time.Second}}
		h.wants(t, what+": twice", 2, "kill "+greedy+", kill "+greedy)
		h.wants(t, what+": once more", 1, "lock "+greedy+", stop s000000001")
		h.loads = h.loads[1:]
		h.wants(t, what+": then", 100, "")
		if len(h.findings) != 1 || h.findings[0].Subject != "s000000001" || h.findings[0].Code != tenants.FindingDatabaseLocked {
			t.Errorf("%s: said %+v", what, h.findings)
		}
	}
}

func TestWhatTakesTheMemoryOfAllIsLockedAtOnce(t *testing.T) {
	h := newHouse()
	h.loads = []dbguard.Load{{Database: greedy, Memory: 300 * mib}}
	h.wants(t, "at once", 1, "lock "+greedy+", stop s000000001")
}

func TestASiteThatIsResumedBeforeTheNextLookStaysResumed(t *testing.T) {
	h := newHouse()
	h.loads = []dbguard.Load{{Database: greedy, Memory: 300 * mib}}
	h.wants(t, "at once", 1, "lock "+greedy+", stop s000000001")
	h.loads = nil
	h.set("s000000001", tenants.StateReady)
	h.wants(t, "resumed at once", 3, "unlock "+greedy)
	if len(h.findings) != 0 {
		t.Errorf("still said %+v", h.findings)
	}
}

func TestSlipsThatLieApartAreForgotten(t *testing.T) {
	h := newHouse()
	for range 6 {
		h.loads = []dbguard.Load{{Database: greedy, Running: 3 * time.Minute}}
		h.wants(t, "a long statement", 1, "kill "+greedy)
		h.loads = nil
		h.wants(t, "then", 301, "")
	}
}

func TestALongTransactionIsEndedAndCountsForNothing(t *testing.T) {
	h := newHouse()
	h.loads = []dbguard.Load{{Database: greedy, Transaction: 6 * time.Minute}}
	if did := h.look(t, 10); strings.Contains(did, "lock") || !strings.HasPrefix(did, "kill "+greedy) {
		t.Errorf("did %s", did)
	}
}

func TestALockHoldsOverARestartAndEndsWhenTheSiteIsResumed(t *testing.T) {
	h := newHouse()
	h.loads = []dbguard.Load{{Database: greedy, Memory: 300 * mib}}
	h.look(t, 1)
	h.loads = nil
	h.look(t, 2)
	h.restart()
	h.wants(t, "a new worker", 100, "")
	if len(h.findings) != 1 || !h.locked[greedy] {
		t.Errorf("after a restart: said %+v, locked %v", h.findings, h.locked)
	}
	h.set("s000000001", tenants.StateReady) // by a volunteer
	h.wants(t, "resumed", 2, "unlock "+greedy)
	h.look(t, 60)
	if len(h.findings) != 0 {
		t.Errorf("resumed, and still said: %+v", h.findings)
	}
}

func TestTemporaryTablesThatGrowAreEndedAndOneAloneIsTheOne(t *testing.T) {
	h := newHouse()
	h.may[greedy] = true
	h.loads = []dbguard.Load{{Database: greedy}, {Database: quiet}}
	h.look(t, 2)
	h.size += 300 * mib
	h.wants(t, "one may make them", 3, "kill "+greedy)
	h.size += 300 * mib
	h.look(t, 1)
	h.size += 300 * mib
	h.wants(t, "a third time", 1, "lock "+greedy+", stop s000000001")

	h = newHouse()
	h.may[greedy], h.may[quiet] = true, true
	h.loads = []dbguard.Load{{Database: greedy}, {Database: quiet}}
	h.look(t, 2)
	for range 5 {
		h.size += 300 * mib
		h.wants(t, "two may make them", 1, "kill "+greedy+", kill "+quiet)
	}
	h.size = 12 * mib // the server was started again
	h.wants(t, "after a restart of the server", 3, "")
}

func TestWhileNothingHappensThePanelsDatabaseIsNotAsked(t *testing.T) {
	h := newHouse()
	h.loads = []dbguard.Load{{Database: greedy, Connections: 3, Memory: mib}}
	h.wants(t, "an ordinary hour", 3600, "")
	if h.asked != 0 {
		t.Errorf("sites were listed %d times", h.asked)
	}
	h.away = tenants.ErrUnavailable
	h.wants(t, "without a database", 3, "")
	h.away = errors.New("refused")
	if err := h.guard.Check(t.Context()); !errors.Is(err, h.away) {
		t.Errorf("a guard that may not look says %v", err)
	}
}
