package panel_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/platform"
)

// notice opens findings of an area.
func (w *world) notice(area tenants.Area, fs ...tenants.Finding) {
	w.t.Helper()
	for i := range fs {
		fs[i].Area = area
	}
	_, _, err := w.records.noticed.ReplaceFindings(w.t.Context(), tenants.FindingScope{Area: area}, w.clock.Now(), fs)
	must(w.t, err)
}

func strange(subject string, level tenants.Level) tenants.Finding {
	return tenants.Finding{Subject: subject, Code: tenants.FindingUnknownContainer, Level: level}
}

func TestWhatWasNoticedIsToldToThoseWhoMayKnow(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x, other := w.site("lilas", tenants.StateReady), w.site("roses", tenants.StateReady)
	admin := w.signIn(ana)
	lacks(t, w.do(admin, ask{path: "/"}), `href="/platform" aria-label`)
	w.notice(tenants.AreaSite, strange(x.ID, tenants.LevelTrouble), strange(other.ID, tenants.LevelAttention))
	w.notice(tenants.AreaPlatform, strange("chatiere-test-x", tenants.LevelTrouble))

	contains(t, w.do(admin, ask{path: "/platform"}), x.Host, other.Host, "docker inspect chatiere-test-x", "/sites/"+x.ID)
	contains(t, w.do(admin, ask{path: "/"}), `href="/platform" aria-label`)
	manager := w.signIn(lea)
	contains(t, w.do(manager, ask{path: "/sites/" + x.ID}), "Ce que la plateforme a remarqué")
	lacks(t, w.do(w.signIn(ali), ask{path: "/sites/" + x.ID}), "Ce que la plateforme a remarqué")

	all := decoded[api.List[api.Finding]](t, w.do(who{local: true}, ask{path: "/api/v1/findings"}))
	if len(all.Items) != 3 || all.Items[0].Says == "" || all.Items[0].Advice == "" {
		t.Errorf("the list is %+v", all.Items)
	}
	own := decoded[api.List[api.Finding]](t, w.do(manager, ask{path: "/api/v1/findings?site=" + x.ID}))
	if len(own.Items) != 1 || own.Items[0].Subject != x.ID {
		t.Errorf("the manager's list is %+v", own.Items)
	}
	if r := w.do(manager, ask{path: "/api/v1/findings?site=" + other.ID}); r.status != http.StatusNotFound {
		t.Errorf("another's findings answer %d", r.status)
	}
	if r := w.do(manager, ask{path: "/api/v1/findings?site=s000000000"}); r.status != http.StatusNotFound {
		t.Errorf("those of no site answer %d", r.status)
	}
}

func TestWhatIsOverIsToldAsOver(t *testing.T) {
	w := newWorld(t)
	w.notice(tenants.AreaPlatform, strange("chatiere-test-x", tenants.LevelTrouble))
	w.notice(tenants.AreaPlatform)
	page := w.do(w.signIn(ana), ask{path: "/platform"})
	contains(t, page, "Rien n’a besoin de vous ici", "chatiere-test-x", "réglé")
	if open := decoded[api.List[api.Finding]](t, w.do(who{local: true}, ask{path: "/api/v1/findings"})); len(open.Items) != 0 {
		t.Errorf("open are %+v", open.Items)
	}
	all := decoded[api.List[api.Finding]](t, w.do(who{local: true}, ask{path: "/api/v1/findings?ended=1"}))
	if len(all.Items) != 1 || all.Items[0].EndedAt == nil {
		t.Errorf("with the ended ones: %+v", all.Items)
	}
}

func TestTheDoctorTellsFindings(t *testing.T) {
	w := newWorld(t)
	diagnosis := func() api.Diagnosis {
		return decoded[api.Diagnosis](t, w.do(who{local: true}, ask{path: "/api/v1/doctor"}))
	}
	w.notice(tenants.AreaPlatform, strange("chatiere-test-x", tenants.LevelAttention))
	if d := diagnosis(); !d.Healthy() || d.Checks[len(d.Checks)-1].State != api.CheckAmber || d.Checks[len(d.Checks)-1].Name != "platform chatiere-test-x" {
		t.Errorf("the doctor says %+v", d)
	}
	w.notice(tenants.AreaPlatform, strange("chatiere-test-x", tenants.LevelTrouble))
	if d := diagnosis(); d.Healthy() {
		t.Errorf("with trouble the doctor says %+v", d)
	}
	w.records.noticed.Broken = errors.New("no database")
	if d := diagnosis(); d.Healthy() {
		t.Errorf("without records the doctor says %+v", d)
	}
}

// lookout answers for the worker.
type lookout struct {
	parts []platform.State
	err   error
}

func (l *lookout) Containers(context.Context) ([]platform.State, error) {
	return l.parts, l.err
}

func TestThePlatformsPageShowsItsPartsAndWhatToTypeWhenNobodyLooks(t *testing.T) {
	w := newWorld(t)
	admin := w.signIn(ana)
	w.watch.parts = []platform.State{
		{Role: "proxy", Container: "chatiere-test-proxy", State: "running", Health: "healthy", Since: w.clock.Now()},
		{Role: "mariadb", Container: "chatiere-test-mariadb", State: "restarting", Restarts: 7},
		{Role: "gateway", Container: "chatiere-test-gateway", State: "running", Health: "unhealthy"},
		{Role: "panel", State: "gone"}, {Role: "keycloak"}, {Role: "mariadb-sites", State: "exited"},
	}
	contains(t, w.do(admin, ask{path: "/platform"}), "chatiere-test-proxy", "en marche", "redémarre sans cesse", "7 redémarrages",
		"répond mal", "disparu", "pas encore regardé", "arrêté")
	lacks(t, w.do(admin, ask{path: "/platform"}), "make revive")
	w.watch.err = tenants.ErrUnavailable
	silent := w.do(admin, ask{path: "/platform"})
	contains(t, silent, "make revive", "ne répond pas")
	lacks(t, silent, "chatiere-test-proxy", "Rien n’a besoin de vous ici")
}

func TestTheAPITellsWhatWasProbedAndWhen(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	path := "/api/v1/sites/" + x.ID
	if got := decoded[api.Site](t, w.do(who{local: true}, ask{path: path})); got.Probe != nil {
		t.Errorf("never looked at, it tells %+v", got.Probe)
	}
	at := w.clock.Now().Add(-20 * time.Second)
	w.records.probes = map[string]tenants.Probe{x.ID: {At: at, Health: tenants.HealthDown, Detail: "dial unix"}}
	got := decoded[api.Site](t, w.do(who{local: true}, ask{path: path}))
	if got.Probe == nil || !got.Probe.At.Equal(at) || got.Probe.Health != "down" || got.Probe.Detail != "dial unix" {
		t.Errorf("it tells %+v", got.Probe)
	}
	manager := w.signIn(lea)
	if got := decoded[api.Site](t, w.do(manager, ask{path: path})); got.Probe == nil || got.Probe.Detail != "" {
		t.Errorf("the manager is told %+v", got.Probe)
	}
	contains(t, w.do(w.signIn(ana), ask{path: "/sites/" + x.ID}), "vérifié il y a 20", "ne répond pas")
}
