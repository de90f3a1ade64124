package panel_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
)

// asserted reads the claims that somebody is sent to a site with.
func asserted(t *testing.T, location string) (to *url.URL, claims map[string]any) {
	t.Helper()
	to, err := url.Parse(location)
	must(t, err)
	parts := strings.Split(to.Query().Get("token"), ".")
	if len(parts) != 3 {
		t.Fatalf("sent to %q", location)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	must(t, json.Unmarshal(b, &claims))
	return to, claims
}

func TestAManagerIsSentToTheirSiteInTheirOwnNameAndItIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	r := w.do(w.signIn(lea), ask{method: "POST", path: "/sites/" + x.ID + "/enter"})
	to, claims := asserted(t, r.location)
	if r.status != 303 || to.Scheme+"://"+to.Host+to.Path != "https://"+x.Host+":8443/enter-here" {
		t.Errorf("%d to %s", r.status, to)
	}
	for name, want := range map[string]any{
		"iss": origin, "aud": x.ID + "@" + x.Host, "sub": "lea", "sub_iss": w.issuer.URL, "name": "Léa Martin", "role": "administrator", "exp": claims["iat"].(float64) + 60,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("the address with the assertion may be kept or told: %v", r.header)
	}
	last := w.records.Trail[len(w.records.Trail)-1]
	if last.Action != "site.enter" || last.SiteID != x.ID || last.ActorID != "lea" || strings.Contains(last.Detail, "ey") {
		t.Errorf("written down: %+v", last)
	}
	if strings.Contains(w.log.String(), to.Query().Get("token")) {
		t.Error("the log tells the assertion")
	}
}

func TestTheSitePageOffersTheWayInToThoseWhoMayAndLetsItsFormLeadThere(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	suspended := w.site("lilas", tenants.StateSuspended)
	manager, member := w.signIn(lea), w.signIn(ali)
	page := w.do(manager, ask{path: "/sites/" + x.ID})
	contains(t, page, "/sites/"+x.ID+"/enter", "Ouvrir l’administration")
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://"+x.Host+":8443 ") {
		t.Errorf("policy %q", policy)
	}
	for _, r := range []reply{w.do(member, ask{path: "/sites/" + x.ID}), w.do(manager, ask{path: "/sites/" + suspended.ID})} {
		lacks(t, r, "/enter")
		if strings.Contains(r.header.Get("Content-Security-Policy"), "lilas.example:8443") {
			t.Errorf("forms may lead to the site: %q", r.header.Get("Content-Security-Policy"))
		}
	}
}

func TestNobodyEntersASiteThatIsNotOpenNorWithoutANameNorWithOldRights(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x, suspended := w.site("lilas", tenants.StateReady), w.site("lilas", tenants.StateSuspended)
	if r := w.do(w.signIn(ana), ask{method: "POST", path: "/sites/" + suspended.ID + "/enter"}); r.status != 409 {
		t.Errorf("a suspended site: %d", r.status)
	}
	glass := w.breakGlass()
	if r := w.do(glass, ask{method: "POST", path: "/sites/" + x.ID + "/enter"}); r.status != 403 {
		t.Errorf("break-glass: %d to %s", r.status, r.location)
	}
	lacks(t, w.do(glass, ask{path: "/sites/" + x.ID}), "/enter")
	manager := w.signIn(lea)
	w.issuer.Down(true)
	w.clock.Advance(6 * time.Minute)
	if r := w.do(manager, ask{method: "POST", path: "/sites/" + x.ID + "/enter"}); r.status != 503 {
		t.Errorf("with rights that nobody can confirm: %d to %s", r.status, r.location)
	}
}

func TestSomebodyOfAFormerRealmBringsTheirOldIdentityAlong(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	_, claims := asserted(t, w.do(w.signIn(ana), ask{method: "POST", path: "/sites/" + x.ID + "/enter"}).location)
	if want := []any{map[string]any{"iss": "https://old.example/realms/x", "sub": "6c1f"}}; !reflect.DeepEqual(claims["former"], want) {
		t.Errorf("former identities %v, want %v", claims["former"], want)
	}
	_, claims = asserted(t, w.do(w.signIn(lea), ask{method: "POST", path: "/sites/" + x.ID + "/enter"}).location)
	if claims["former"] != nil {
		t.Errorf("somebody else brings %v along", claims["former"])
	}
}

func TestNobodyEntersWhomTheRecordsNoLongerKnowAsAManager(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	manager := w.signIn(lea)
	m, err := w.store.Person(t.Context(), "lea")
	must(t, err)
	m.Memberships = map[string]tenants.Role{"lilas": tenants.RoleMember} // as the worker read it from the directory since
	must(t, w.store.SaveMember(t.Context(), m))
	if r := w.do(manager, ask{method: "POST", path: "/sites/" + x.ID + "/enter"}); r.status != 403 || r.location != "" {
		t.Errorf("%d to %q, want 403", r.status, r.location)
	}
}

// breakGlass signs somebody in by a link from the server.
func (w *world) breakGlass() who {
	w.t.Helper()
	var link api.BreakGlassLink
	must(w.t, json.Unmarshal([]byte(w.do(who{local: true}, ask{method: "POST", path: "/api/v1/break-glass", json: "{}"}).body), &link))
	u, err := url.Parse(link.URL)
	must(w.t, err)
	r := w.do(who{}, ask{method: "POST", path: "/break-glass", form: url.Values{"key": {u.Query().Get("key")}}})
	by := who{cookie: r.cookies["__Host-chatiere"].Value}
	by.csrf = w.formToken(by)
	return by
}
