package panel_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/identity/identitytest"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

func contains(t *testing.T, r reply, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(r.body, word) {
			t.Errorf("page (%d) lacks %q:\n%s", r.status, word, r.body)
		}
	}
}

func lacks(t *testing.T, r reply, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(r.body, word) {
			t.Errorf("page (%d) tells %q", r.status, word)
		}
	}
}

func TestListsHoldOnesOwnSitesAlone(t *testing.T) {
	w := newWorld(t)
	w.towns()
	mine, theirs := w.site("lilas", tenants.StateReady), w.site("roses", tenants.StateReady)
	binned, foreignBin := w.site("lilas", tenants.StateBinned), w.site("roses", tenants.StateBinned)
	op, foreignOp := w.operation("lilas", operations.Queued), w.operation("roses", operations.Queued)
	manager := w.signIn(lea)
	for path, want := range map[string]string{"/": mine.Host, "/bin": binned.Host, "/api/v1/sites": mine.ID, "/api/v1/operations": op.ID} {
		r := w.do(manager, ask{path: path})
		contains(t, r, want)
		lacks(t, r, theirs.Host, theirs.ID, foreignBin.Host, foreignOp.ID, "Roses")
	}
	nowhere := w.signIn(identitytest.Person("noe", "Noé"))
	for _, path := range []string{"/", "/bin", "/api/v1/sites", "/api/v1/operations"} {
		lacks(t, w.do(nowhere, ask{path: path}), mine.Host, mine.ID, binned.Host, op.ID)
	}
	admin := w.do(w.signIn(ana), ask{path: "/sites"})
	contains(t, admin, mine.Host, theirs.Host)
}

func TestTheSitePageTellsWhatIsKnownAndOffersWhatIsAllowed(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	w.records.requests = map[string]int64{x.ID: 4217}
	r := w.do(w.signIn(lea), ask{path: "/sites/" + x.ID})
	contains(t, r, "https://"+x.Host+":8443/", "4\u00a0217", "/sites/"+x.ID+"/delete")
	lacks(t, r, "/sites/"+x.ID+"/suspend", "chatiere-test-"+x.ID, "/var/lib")
	contains(t, w.do(w.signIn(ana), ask{path: "/sites/" + x.ID}), "/sites/"+x.ID+"/suspend", "chatiere-test-"+x.ID)
	lacks(t, w.do(w.signIn(ali), ask{path: "/sites/" + x.ID}), "/sites/"+x.ID+"/delete")
}

func TestATakenHostIsExplainedAndAFreeOneProposed(t *testing.T) {
	w := newWorld(t)
	w.towns()
	taken := w.site("roses", tenants.StateReady)
	label := strings.TrimSuffix(taken.Host, ".lilas.example")
	admin := w.signIn(ana)
	for typed, words := range map[string][]string{
		label: {label + "-2", "prise par Club des Roses"},
		"https://" + strings.ToUpper(taken.Host) + "./": {label + "-2", "prise par Club des Roses"},
		"panel":         {"panel-"},
		"Fête du Lilas": {"fete-du-lilas"},
		"x.else.where":  {},
	} {
		r := w.do(admin, ask{method: "POST", path: "/sites", form: url.Values{
			"association": {"lilas"}, "template": {"wordpress"}, "name": {"Fête"}, "host": {typed}, "once": {"o1"},
		}})
		if r.status != http.StatusUnprocessableEntity {
			t.Errorf("host %q answers %d", typed, r.status)
		}
		contains(t, r, append(words, `id="host-problem"`, `value="Fête"`, `value="o1"`)...)
	}
	r := w.do(admin, ask{method: "POST", path: "/sites", form: url.Values{"association": {"lilas"}, "template": {"none"}, "host": {"ok"}}})
	contains(t, r, `id="name-problem"`, `id="template-problem"`)
}

func TestAFormsOnceValueBecomesTheOperationsKey(t *testing.T) {
	w := newWorld(t)
	w.towns()
	admin := w.signIn(ana)
	r := w.do(admin, ask{method: "POST", path: "/associations", form: url.Values{"name": {"Les Iris"}, "once": {"o1"}}})
	op, err := w.records.Operation(t.Context(), strings.TrimPrefix(r.location, "/operations/"))
	if err != nil || !strings.HasSuffix(op.Key, ":o1") || !strings.Contains(op.Key, "ana") {
		t.Errorf("the operation's key is %q, %v", op.Key, err)
	}
	contains(t, w.do(admin, ask{path: r.location}), "Les Iris")
}

func TestTheListOfAssociationsCountsAllMembersAtOnce(t *testing.T) {
	w := newWorld(t)
	w.towns()
	r := w.do(w.signIn(ana), ask{path: "/associations"})
	contains(t, r, ">40<", ">41<")
	if w.records.counts != 1 {
		t.Errorf("members were counted %d times, want once for the whole list", w.records.counts)
	}
}

func TestATakenSlugIsExplainedAndAFreeOneProposed(t *testing.T) {
	w := newWorld(t)
	w.towns()
	r := w.do(w.signIn(ana), ask{method: "POST", path: "/associations", form: url.Values{"name": {"Lilas"}}})
	if r.status != http.StatusUnprocessableEntity {
		t.Errorf("answers %d", r.status)
	}
	contains(t, r, `id="slug-problem"`, "lilas-2")
}

func TestPurgingDemandsTheAddressTyped(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateBinned)
	admin := w.signIn(ana)
	r := w.do(admin, ask{method: "POST", path: "/sites/" + x.ID + "/purge", form: url.Values{"confirm": {"something.else"}}})
	if r.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong address answers %d", r.status)
	}
	contains(t, r, `id="confirm-problem"`, `value="something.else"`)
	if live, _ := w.records.Operations(t.Context(), operations.Filter{SiteID: x.ID}); len(live) != 0 {
		t.Error("it was purged all the same")
	}
}

func TestChangesLeadToTheirOperation(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	manager := w.signIn(lea)
	r := w.do(manager, ask{method: "POST", path: "/sites/" + x.ID + "/delete"})
	page := w.do(manager, ask{path: r.location})
	contains(t, page, x.Host, `data-events="`+r.location+`/events"`, r.location+"/cancel")
	if again := w.do(manager, ask{method: "POST", path: "/sites/" + x.ID + "/delete"}); again.status != http.StatusConflict {
		t.Errorf("a second wish while the first is at work answers %d", again.status)
	}
	cancelled := w.do(manager, ask{method: "POST", path: r.location + "/cancel"})
	if cancelled.location != r.location || cancelled.cookies["__Host-chatiere-flash"] == nil {
		t.Errorf("cancelling leads to %q with %v", cancelled.location, cancelled.cookies)
	}
	after := w.do(manager, ask{path: r.location, cookies: map[string]string{"__Host-chatiere-flash": cancelled.cookies["__Host-chatiere-flash"].Value}})
	contains(t, after, `class="flash"`)
	if c := after.cookies["__Host-chatiere-flash"]; c == nil || c.MaxAge >= 0 {
		t.Error("the message would be shown again")
	}
	lacks(t, after, r.location+"/cancel")
}

func TestOperationPagesNeverTellAMemberTheCauseInDetail(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.asked("lilas", provision.KindSiteDelete, tenants.SideAssociation, operations.Stuck)
	for _, path := range []string{"/operations/" + op.ID, "/api/v1/operations/" + op.ID} {
		lacks(t, w.do(w.signIn(lea), ask{path: path}), "secret")
	}
	contains(t, w.do(w.signIn(lea), ask{path: "/operations/" + op.ID}), "/operations/"+op.ID+"/retry")
	lacks(t, w.do(w.signIn(ali), ask{path: "/operations/" + op.ID}), "/operations/"+op.ID+"/retry")
	contains(t, w.do(w.signIn(ana), ask{path: "/api/v1/operations/" + op.ID}), "secret")
}

func TestPagesSayWhenWorkIsPaused(t *testing.T) {
	w := newWorld(t)
	w.towns()
	by := w.signIn(lea)
	lacks(t, w.do(by, ask{path: "/"}), "pause")
	w.clock.Advance(2*time.Minute + time.Second)
	contains(t, w.do(by, ask{path: "/"}), "pause")
}

func TestThePageSpeaksTheLanguageAskedFor(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		a    ask
		want string
	}{
		"nothing said":   {ask{}, "fr"},
		"browser":        {ask{header: map[string]string{"Accept-Language": "de, en-GB;q=0.8, fr;q=0.5"}}, "en"},
		"unknown tongue": {ask{header: map[string]string{"Accept-Language": "ja"}}, "fr"},
		"junk":           {ask{header: map[string]string{"Accept-Language": ";;;=%"}}, "fr"},
		"chosen before":  {ask{header: map[string]string{"Accept-Language": "fr"}, cookies: map[string]string{"__Host-chatiere-lang": "en"}}, "en"},
		"made-up choice": {ask{cookies: map[string]string{"__Host-chatiere-lang": "xx"}}, "fr"},
	} {
		c.a.path = "/sign-in"
		if r := w.do(who{}, c.a); !strings.Contains(r.body, `<html lang="`+c.want+`">`) {
			t.Errorf("%s: not in %s", name, c.want)
		}
	}
	r := w.do(who{}, ask{path: "/sign-in?return=%2Fbin&lang=en"})
	if r.status != http.StatusSeeOther || r.location != "/sign-in?return=%2Fbin" || r.cookies["__Host-chatiere-lang"].Value != "en" {
		t.Errorf("choosing answers %d %q %v", r.status, r.location, r.cookies)
	}
	if r := w.do(who{}, ask{path: "//evil.example/?lang=en"}); strings.HasPrefix(r.location, "//") {
		t.Errorf("choosing leads away to %q", r.location)
	}
}

func TestErrorsTellTheRequestAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	by := w.signIn(lea)
	w.records.mu.Lock()
	w.records.broken = errors.New("dialing 10.0.0.7: password hunter2")
	w.records.mu.Unlock()
	for _, path := range []string{"/sites/" + x.ID, "/api/v1/sites/" + x.ID} {
		r := w.do(by, ask{path: path})
		id := r.header.Get("X-Request-Id")
		if r.status != http.StatusInternalServerError || id == "" {
			t.Errorf("%s answers %d with id %q", path, r.status, id)
		}
		contains(t, r, id)
		lacks(t, r, "hunter2", "10.0.0.7", "panel/", ".go")
		if log := w.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, id) {
			t.Error("the log does not tell the cause under that id")
		}
	}
	for path, want := range map[string]int{"/nothing": 404, "/api/v1/nothing": 404, "/sites/" + x.ID + "/nothing": 404, "/%00": 404} {
		r := w.do(by, ask{path: path})
		if r.status != want {
			t.Errorf("%s answers %d, want %d", path, r.status, want)
		}
		lacks(t, r, "Cannot GET", "fiber", "fasthttp")
	}
	conn, err := net.Dial("unix", w.options.Sockets.Edge)
	must(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /sites HTTP/1.1\r\nHost: panel\r\nContent-Length: 307200\r\n\r\n")
	must(t, err)
	first, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(first, " 413 ") {
		t.Errorf("a huge form is answered %q, %v, before it is sent", first, err)
	}
}

func TestEveryAnswerCarriesTheSafetyHeaders(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/sign-in", "/nothing", "/api/v1/account", "/"} {
		h := w.do(who{}, ask{path: path}).header
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			!strings.Contains(policy, "form-action 'self' "+w.issuer.URL) || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy is %q", path, policy)
		}
		if h.Get("Referrer-Policy") != "same-origin" || h.Get("Strict-Transport-Security") == "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers are %v", path, h)
		}
	}
}

// What a site's template has become is for those who look after the machine: members and managers read nothing of it.
func TestAnUpdateIsOfferedToVolunteersAlone(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	offer, needs := "/sites/"+x.ID+"/update", "mise à jour est disponible"
	volunteer := w.signIn(ana)
	lacks(t, w.do(volunteer, ask{path: "/sites/" + x.ID}), offer)
	lacks(t, w.do(volunteer, ask{path: "/"}), needs)
	contains(t, w.do(volunteer, ask{path: "/api/v1/sites/" + x.ID}), `"update_available":false`)
	w.outdate(x.ID)
	contains(t, w.do(volunteer, ask{path: "/sites/" + x.ID}), offer)
	contains(t, w.do(volunteer, ask{path: "/"}), needs, "mise à jour disponible")
	contains(t, w.do(volunteer, ask{path: "/sites"}), "mise à jour disponible")
	contains(t, w.do(volunteer, ask{path: offer}), "Mettre à jour", "l’ancien reste en place")
	closed := w.site("lilas", tenants.StateSuspended)
	w.outdate(closed.ID)
	lacks(t, w.do(volunteer, ask{path: "/sites/" + closed.ID}), "/update")
	contains(t, w.do(volunteer, ask{path: "/"}), needs+" pour 1 site<")
	contains(t, w.do(volunteer, ask{path: "/api/v1/sites/" + x.ID}), `"update_available":true`)
	for _, person := range []map[string]any{lea, ali} {
		by := w.signIn(person)
		for _, path := range []string{"/", "/sites/" + x.ID, "/api/v1/sites", "/api/v1/sites/" + x.ID} {
			lacks(t, w.do(by, ask{path: path}), offer, needs, "mise à jour disponible", "update_available")
		}
	}
}
