package panel_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// issuerSide stands for the realm's admin side.
type issuerSide struct {
	mu   sync.Mutex
	away bool
	out  []string
}

func (i *issuerSide) SignOut(_ context.Context, subject string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.away {
		return errors.New("away")
	}
	i.out = append(i.out, subject)
	return nil
}

func TestTheAccountPageListsOnesSessionsAndEndsThem(t *testing.T) {
	w := newWorld(t)
	w.towns()
	here, there, stranger := w.signIn(lea), w.signIn(lea), w.signIn(ali)
	r := w.do(here, ask{path: "/account"})
	contains(t, r, "Vos connexions", "celle-ci", "Sans rien faire, elle se ferme après 8 heures")
	if n := strings.Count(r.body, `/end"`); n != 3 { // two sessions, and all of them
		t.Errorf("%d ways to end sessions", n)
	}
	lacks(t, r, "192.0.2.1", "Mozilla")
	mine, theirs := w.sessionFor(here, own, 2), w.sessionFor(stranger, own, 3)
	if r := w.do(here, ask{method: "POST", path: "/account/sessions/" + theirs + "/end"}); r.status != http.StatusNotFound {
		t.Errorf("ending somebody else's answers %d", r.status)
	}
	if r := w.do(there, ask{method: "POST", path: "/account/sessions/" + mine + "/end"}); r.location != "/account" {
		t.Errorf("ending another of one's own leads to %q", r.location)
	}
	if r := w.do(here, ask{path: "/account"}); r.status != http.StatusSeeOther {
		t.Errorf("the ended session answers %d", r.status)
	}
	for _, by := range []who{there, stranger} {
		if r := w.do(by, ask{path: "/account"}); r.status != http.StatusOK {
			t.Errorf("another session answers %d", r.status)
		}
	}
}

func TestSigningOutEverywhereEndsAllHereAndAtTheIssuer(t *testing.T) {
	w := stillWorld(t)
	side := &issuerSide{}
	w.options.SignIn.Identities = side
	w.again()
	here, there, stranger := w.signIn(lea), w.signIn(lea), w.signIn(ali)
	if r := w.do(here, ask{method: "POST", path: "/account/sessions/end"}); r.location != "/sign-in" {
		t.Errorf("leads to %q", r.location)
	}
	for _, by := range []who{here, there} {
		if r := w.do(by, ask{path: "/account"}); r.status != http.StatusSeeOther {
			t.Errorf("a session still answers %d", r.status)
		}
	}
	if r := w.do(stranger, ask{path: "/account"}); r.status != http.StatusOK {
		t.Errorf("somebody else's answers %d", r.status)
	}
	if !slices.Equal(side.out, []string{"lea"}) {
		t.Errorf("the issuer was told of %v", side.out)
	}
	side.away = true
	if r := w.do(w.signIn(lea), ask{method: "POST", path: "/account/sessions/end"}); !strings.HasPrefix(r.location, w.issuer.URL+"/logout?") {
		t.Errorf("without the realm's help it leads to %q", r.location)
	}
}

func TestAfterABreakInTheCoopEndsAllOfAPersonsSessionsAndKeys(t *testing.T) {
	w := newWorld(t)
	w.towns()
	thief, other, admin := w.signIn(lea), w.signIn(ali), w.signIn(ana)
	key := w.newToken(thief, "write")
	contains(t, w.do(admin, ask{path: "/associations/lilas"}), `href="/people/lea"`)
	lacks(t, w.do(thief, ask{path: "/associations/lilas"}), `href="/people/lea"`)
	contains(t, w.do(admin, ask{path: "/people/lea"}), "Léa Martin", "1 connexion ouverte", "sa clé pour les programmes")
	if r := w.do(admin, ask{path: "/people/nobody"}); r.status != http.StatusNotFound {
		t.Errorf("nobody's page answers %d", r.status)
	}
	if r := w.do(admin, ask{method: "POST", path: "/people/lea/sign-out"}); r.location != "/people/lea" {
		t.Fatalf("leads to %q", r.location)
	}
	if r := w.do(thief, ask{path: "/account"}); r.status != http.StatusSeeOther {
		t.Errorf("the session still answers %d", r.status)
	}
	if r := w.do(who{bearer: key}, ask{path: "/api/v1/account"}); r.status != http.StatusOK {
		t.Errorf("the key, which nobody asked to revoke, answers %d", r.status)
	}
	w.do(admin, ask{method: "POST", path: "/people/lea/sign-out", form: url.Values{"keys": {"1"}}})
	if r := w.do(who{bearer: key}, ask{path: "/api/v1/account"}); r.status != http.StatusUnauthorized {
		t.Errorf("the revoked key answers %d", r.status)
	}
	if r := w.do(other, ask{path: "/account"}); r.status != http.StatusOK {
		t.Errorf("somebody else's session answers %d", r.status)
	}
	contains(t, w.do(admin, ask{path: "/journal?act=session.end_all"}), "fin de toutes les connexions", "1 of lea", "1 keys")
}

// slow is a world whose streams look again by themselves only after an hour.
func slow(t *testing.T) *world {
	t.Helper()
	w := stillWorld(t)
	w.options.Heartbeat = time.Hour
	w.again()
	w.towns()
	return w
}

func TestAStreamEndsAtOnceWithItsSession(t *testing.T) {
	w := slow(t)
	op := w.operation("lilas", operations.Queued)
	for name, end := range map[string]func(by who){
		"signing out":            func(by who) { w.do(by, ask{method: "POST", path: "/auth/logout"}) },
		"signing out everywhere": func(by who) { w.do(by, ask{method: "POST", path: "/account/sessions/end"}) },
		"the issuer's word": func(who) {
			token := w.issuer.LogoutToken("", "lea", nil)
			w.do(who{}, ask{method: "POST", path: "/auth/backchannel-logout", form: url.Values{"logout_token": {token}}, header: map[string]string{"Sec-Fetch-Site": ""}})
		},
		"the co-op": func(who) { w.do(w.signIn(ana), ask{method: "POST", path: "/people/lea/sign-out"}) },
	} {
		by := w.signIn(lea)
		lines := events(w.open(by, ask{path: "/operations/" + op.ID + "/events"}))
		stays := w.open(w.signIn(ali), ask{path: "/operations/" + op.ID + "/events"})
		others := events(stays)
		next(t, lines, "event: progress")
		next(t, others, "event: progress")
		begin := time.Now()
		end(by)
		ended(t, lines)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: the stream ended after %s", name, took)
		}
		next(t, others, ": alive") // looked at again, and let go on
		_ = stays.Body.Close()
	}
}

func TestAStreamOfATokenEndsAtOnceWithIt(t *testing.T) {
	w := slow(t)
	op := w.operation("lilas", operations.Queued)
	by := w.signIn(lea)
	secret := w.newToken(by, "read")
	lines := events(w.open(who{bearer: secret}, ask{path: "/api/v1/operations/" + op.ID + "/events"}))
	next(t, lines, "event: progress")
	_, rest, _ := strings.Cut(w.do(by, ask{path: "/api/v1/tokens"}).body, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	w.do(by, ask{method: "DELETE", path: "/api/v1/tokens/" + id, json: "{}"})
	ended(t, lines)
}

func TestWrongKeysAndLinksAreHeldBackAndGoodOnesAreNot(t *testing.T) {
	w := newWorld(t)
	w.towns()
	secret := w.newToken(w.signIn(lea), "read")
	from := map[string]string{"X-Real-IP": "203.0.113.9"}
	for name, c := range map[string]struct {
		a     ask
		by    who
		first int
	}{
		"keys":      {ask{path: "/api/v1/account", header: from}, who{bearer: "chat_" + strings.Repeat("0", 43)}, 401},
		"links":     {ask{path: "/break-glass?key=x", header: from}, who{}, 410},
		"callbacks": {ask{path: "/auth/callback?state=x&code=y", header: from}, who{}, 400},
	} {
		if r := w.do(c.by, c.a); r.status != c.first {
			t.Errorf("%s: the first answers %d", name, r.status)
		}
		var last reply
		for range 40 {
			last = w.do(c.by, c.a)
		}
		seconds, err := strconv.Atoi(last.header.Get("Retry-After"))
		if last.status != http.StatusTooManyRequests || err != nil || seconds < 1 || seconds > 60 {
			t.Errorf("%s: the last answers %d, Retry-After %q", name, last.status, last.header.Get("Retry-After"))
		}
		if name != "keys" {
			contains(t, last, "Un peu trop vite", "Comptez 1")
		}
	}
	if r := w.do(who{bearer: secret}, ask{path: "/api/v1/account", header: from}); r.status != http.StatusOK {
		t.Errorf("a good key from the same address answers %d", r.status)
	}
}

// Somebody whose right ended may hold accounts inside sites that need no right: the co-op sees them.
func TestTheCoopSeesWhatSomebodyLeftInsideSites(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	w.signIn(lea)
	w.records.inside = map[string][]tenants.SiteAccount{"lea": {
		{SiteID: x.ID, Login: "lea", Administrator: true, Subjects: []string{"lea"}},
		{SiteID: x.ID, Login: "derriere", Local: true, Administrator: true, Keys: 2, Subjects: []string{"lea"}},
		{SiteID: x.ID, Login: "agence", Local: true},
		{SiteID: "sgone00000", Login: "vieux", Local: true},
	}}
	admin := w.signIn(ana)
	page := w.do(admin, ask{path: "/people/lea"})
	contains(t, page, "Dans les sites", x.Host, "derriere", "créé ou modifié par cette personne", "2 clés", "agence", "l’auteur n’est pas connu")
	lacks(t, page, "vieux")
	lacks(t, page, "n’a plus de droits")
	m, err := w.store.Person(t.Context(), "lea")
	must(t, err)
	m.Memberships = nil
	must(t, w.store.SaveMember(t.Context(), m))
	contains(t, w.do(admin, ask{path: "/people/lea"}), "n’a plus de droits", "derriere")
}
