package panel_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
)

func (w *world) tried(site, name, reason string, decision tenants.EgressDecision, count int64) {
	w.records.mu.Lock()
	defer w.records.mu.Unlock()
	at := w.clock.Now()
	w.records.tried = append(w.records.tried, tenants.EgressAttempt{
		SiteID: site, Name: name, Port: 443, Decision: decision, Reason: reason, Count: count, Sent: 1000, Received: 2000, First: at.Add(-time.Hour), Last: at,
	})
}

func (w *world) contains(r reply, present, absent []string) {
	w.t.Helper()
	for _, s := range present {
		if !strings.Contains(r.body, s) {
			w.t.Errorf("no %q on the page (%d)", s, r.status)
		}
	}
	for _, s := range absent {
		if strings.Contains(r.body, s) {
			w.t.Errorf("%q is on the page (%d)", s, r.status)
		}
	}
}

func TestAManagerSeesWhatTheSiteTriedAndAsksForItFromThere(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x, manager, admin := w.site(own, tenants.StateReady), w.signIn(lea), w.signIn(ana)
	w.tried(x.ID, "tracker.example.org", "name not in list", tenants.EgressRefused, 12)
	w.tried(x.ID, "10.0.0.1", "bare address", tenants.EgressRefused, 1)
	w.tried(x.ID, "api.wordpress.org", "", tenants.EgressAllowed, 88)
	page := "/sites/" + x.ID + "/egress"
	form := page + "/ask?name=tracker.example.org&amp;port=443"
	w.contains(w.do(manager, ask{path: page}), []string{"tracker.example.org", "pas dans la liste", form, "api.wordpress.org", "*.wordpress.org", "465, 587", "pour tous les sites"},
		[]string{"ask?name=10.0.0.1", "/grant"})
	w.contains(w.do(manager, ask{path: strings.ReplaceAll(form, "&amp;", "&")}), []string{`value="tracker.example.org"`, `value="443"`}, nil)

	wish := url.Values{"name": {"10.0.0.1"}, "ports": {"25"}, "reason": {""}}
	r := w.do(manager, ask{method: "POST", path: page + "/ask", form: wish})
	w.contains(r, []string{"C’est l’adresse d’une machine", "Le port 25 reste fermé", "Dites en quelques mots", `value="10.0.0.1"`}, nil)
	if r.status != http.StatusUnprocessableEntity {
		t.Errorf("status %d", r.status)
	}
	wish = url.Values{"name": {"https://Tracker.example.org/x"}, "ports": {"443, 587"}, "reason": {"la carte"}}
	if r := w.do(manager, ask{method: "POST", path: page + "/ask", form: wish}); r.status != http.StatusSeeOther || r.header.Get("Location") != page {
		t.Fatalf("status %d to %q", r.status, r.header.Get("Location"))
	}
	w.contains(w.do(manager, ask{path: page}), []string{"Une demande attend une réponse", "la carte", "Une personne de la coopérative va la lire"}, []string{form, "/grant"})
	w.contains(w.do(admin, ask{path: "/"}), []string{"Une demande d’accès attend pour " + x.Host, page}, nil)

	all, err := w.records.SiteGrants(t.Context(), x.ID)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	w.contains(w.do(admin, ask{path: page}), []string{page + "/" + all[0].ID + "/grant", page + "/" + all[0].ID + "/refuse"}, nil)
	if r := w.do(admin, ask{method: "POST", path: page + "/" + all[0].ID + "/grant", form: url.Values{}}); r.status != http.StatusSeeOther {
		t.Fatalf("granting: %d", r.status)
	}
	if w.nudges.Load() != 1 {
		t.Errorf("the worker was told %d times", w.nudges.Load())
	}
	w.contains(w.do(admin, ask{path: page}), []string{"ouvert par", "/revoke"}, []string{"/grant"})
	w.contains(w.do(manager, ask{path: page}), []string{"ouvert par"}, []string{"/revoke"})
	if r := w.do(admin, ask{method: "POST", path: page + "/" + all[0].ID + "/refuse", form: url.Values{}}); r.status != http.StatusConflict {
		t.Errorf("refusing what was granted: %d", r.status)
	}
	w.contains(w.do(admin, ask{path: "/"}), nil, []string{"Une demande d’accès attend"})
}

func TestTheSitesPageLeadsManagersAndVolunteersToWhatItTried(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site(own, tenants.StateReady)
	link := `href="/sites/` + x.ID + `/egress"`
	w.contains(w.do(w.signIn(lea), ask{path: "/sites/" + x.ID}), []string{link}, nil)
	w.contains(w.do(w.signIn(ana), ask{path: "/sites/" + x.ID}), []string{link}, nil)
	w.contains(w.do(w.signIn(ali), ask{path: "/sites/" + x.ID}), nil, []string{link})
}

func TestTheAPITellsWhatASiteMayReachAndTried(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site(own, tenants.StateReady)
	w.tried(x.ID, "tracker.example.org", "name not in list", tenants.EgressRefused, 12)
	r := w.do(who{local: true}, ask{method: "POST", path: "/api/v1/sites/" + x.ID + "/egress/access", json: `{"name":"*.Example.org","ports":[443],"reason":"la carte"}`})
	w.contains(r, []string{`"name":"*.example.org"`, `"state":"asked"`}, nil)
	w.contains(w.do(who{local: true}, ask{path: "/api/v1/egress/access"}), []string{`"site":"` + x.ID}, nil)
	w.contains(w.do(who{local: true}, ask{path: "/api/v1/sites/" + x.ID + "/egress"}),
		[]string{`{"name":"*.wordpress.org","ports":[443],"from":"template"}`, `"from":"coop"`, `"state":"asked"`}, []string{`"from":"site"`})
	w.contains(w.do(who{local: true}, ask{path: "/api/v1/sites/" + x.ID + "/egress/tries?days=1"}), []string{`"name":"tracker.example.org","port":443,"decision":"refused"`}, nil)
	if r := w.do(who{local: true}, ask{path: "/api/v1/sites/" + x.ID + "/egress/tries?days=400"}); r.status != http.StatusUnprocessableEntity {
		t.Errorf("400 days: %d", r.status)
	}
	r = w.do(who{local: true}, ask{method: "POST", path: "/api/v1/sites/" + x.ID + "/egress/access", json: `{"name":"panel.lilas.example","ports":[25],"reason":"x"}`})
	w.contains(r, []string{`{"field":"name","code":"reserved"}`, `{"field":"ports","code":"mail"}`}, nil)
}
