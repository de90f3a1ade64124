package panel_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatiere/panel/assets"
	"chatiere/tenants"
	"chatiere/tenants/egressgrant"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// columns of the table below, in order: co-op admin with the second factor, the same without it, manager and member of
// "lilas", manager of another association, nobody; the manager's token for reading, the manager's for writing, the
// admin's for writing; the local socket.
var columns = []string{"admin", "weak admin", "manager", "member", "outsider", "anonymous", "read token", "write token", "admin token", "local socket"}

// Where a route is tried: on the association that manager and member belong to, on one nobody of them belongs to, or on none.
const (
	own     = "lilas"
	foreign = "roses"
	none    = ""
)

// table says what everybody gets. 401 on a page is the redirect to the sign-in page; pages take no token and are not
// mounted on the local socket.
var table = []struct {
	route string
	on    string
	want  string
}{
	{"GET /health", none, "200 200 200 200 200 200 200 200 200 200"},
	{"GET /assets/:name", none, "200 200 200 200 200 200 200 200 200 404"},
	{"GET /accessibility", none, "200 200 200 200 200 200 200 200 200 404"},
	{"GET /sign-in", none, "303 303 303 303 303 200 200 200 200 404"},
	{"GET /auth/login", none, "303 303 303 303 303 303 303 303 303 404"},
	{"GET /auth/step-up", none, "303 303 303 303 303 303 303 303 303 404"},
	{"GET /auth/callback", none, "303 303 303 303 303 400 400 400 400 404"},
	{"POST /auth/logout", none, "303 303 303 303 303 401 401 401 401 404"},
	{"POST /auth/backchannel-logout", none, "400 400 400 400 400 400 400 400 400 404"},
	{"GET /break-glass", none, "410 410 410 410 410 410 410 410 410 404"},
	{"POST /break-glass", none, "410 410 410 410 410 410 410 410 410 404"},

	{"GET /", none, "200 403 200 200 200 401 401 401 401 404"},
	{"GET /account", none, "200 200 200 200 200 401 401 401 401 404"},
	{"POST /account/sessions/:id/end", own, "303 303 303 303 303 401 401 401 401 404"},
	{"POST /account/sessions/:id/end", foreign, "404 404 404 404 404 401 401 401 401 404"},
	{"POST /account/sessions/end", none, "303 303 303 303 303 401 401 401 401 404"},
	{"GET /people/:subject", own, "200 403 403 403 403 401 401 401 401 404"},
	{"GET /people/:subject", foreign, "200 403 403 403 403 401 401 401 401 404"},
	{"POST /people/:subject/sign-out", own, "303 403 403 403 403 401 401 401 401 404"},
	{"POST /people/:subject/sign-out", foreign, "303 403 403 403 403 401 401 401 401 404"},
	{"GET /bin", none, "200 200 200 200 200 401 401 401 401 404"},
	{"POST /account/tokens", none, "200 200 200 200 200 401 401 401 401 404"},
	{"GET /account/tokens/:id/revoke", own, "200 200 200 200 200 401 401 401 401 404"},
	{"GET /account/tokens/:id/revoke", foreign, "404 404 404 404 404 401 401 401 401 404"},
	{"POST /account/tokens/:id/revoke", own, "303 303 303 303 303 401 401 401 401 404"},
	{"POST /account/tokens/:id/revoke", foreign, "404 404 404 404 404 401 401 401 401 404"},

	{"GET /platform", none, "200 403 403 403 403 401 401 401 401 404"},

	{"GET /associations", none, "200 403 403 403 403 401 401 401 401 404"},
	{"GET /associations/new", none, "200 403 403 403 403 401 401 401 401 404"},
	{"POST /associations", none, "303 403 403 403 403 401 401 401 401 404"},
	{"GET /associations/:slug", own, "200 403 200 200 404 401 401 401 401 404"},
	{"GET /associations/:slug", foreign, "200 403 404 404 404 401 401 401 401 404"},

	{"GET /associations/:slug/journal", own, "200 403 200 403 404 401 401 401 401 404"},
	{"GET /associations/:slug/journal", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"GET /journal", none, "200 403 403 403 403 401 401 401 401 404"},

	{"GET /sites", none, "200 403 403 403 403 401 401 401 401 404"},
	{"GET /sites/new", none, "200 403 403 403 403 401 401 401 401 404"},
	{"POST /sites", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"GET /sites/:id", own, "200 403 200 200 404 401 401 401 401 404"},
	{"GET /sites/:id", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/enter", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /sites/:id/enter", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"GET /sites/:id/suspend", own, "200 403 403 403 404 401 401 401 401 404"},
	{"GET /sites/:id/suspend", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/suspend", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites/:id/suspend", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"GET /sites/:id/update", own, "200 403 403 403 404 401 401 401 401 404"},
	{"GET /sites/:id/update", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/update", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites/:id/update", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/resume", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites/:id/resume", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/backups", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /sites/:id/backups", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"GET /sites/:id/backups/:snapshot/restore", own, "200 403 200 403 404 401 401 401 401 404"},
	{"GET /sites/:id/backups/:snapshot/restore", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/backups/:snapshot/restore", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /sites/:id/backups/:snapshot/restore", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"GET /sites/:id/delete", own, "200 403 200 403 404 401 401 401 401 404"},
	{"GET /sites/:id/delete", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/delete", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /sites/:id/delete", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/restore", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /sites/:id/restore", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"GET /sites/:id/purge", own, "200 403 403 403 404 401 401 401 401 404"},
	{"GET /sites/:id/purge", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/purge", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites/:id/purge", foreign, "303 403 404 404 404 401 401 401 401 404"},

	{"GET /sites/:id/egress", own, "200 403 200 403 404 401 401 401 401 404"},
	{"GET /sites/:id/egress", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"GET /sites/:id/egress/ask", own, "200 403 200 403 404 401 401 401 401 404"},
	{"GET /sites/:id/egress/ask", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/ask", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/ask", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/:access/grant", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/:access/grant", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/:access/refuse", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/:access/refuse", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/:access/revoke", own, "303 403 403 403 404 401 401 401 401 404"},
	{"POST /sites/:id/egress/:access/revoke", foreign, "303 403 404 404 404 401 401 401 401 404"},

	{"GET /operations/:id", own, "200 403 200 200 404 401 401 401 401 404"},
	{"GET /operations/:id", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"GET /operations/:id/events", own, "200 403 200 200 404 401 401 401 401 404"},
	{"GET /operations/:id/events", foreign, "200 403 404 404 404 401 401 401 401 404"},
	{"POST /operations/:id/cancel", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /operations/:id/cancel", foreign, "303 403 404 404 404 401 401 401 401 404"},
	{"POST /operations/:id/retry", own, "303 403 303 403 404 401 401 401 401 404"},
	{"POST /operations/:id/retry", foreign, "303 403 404 404 404 401 401 401 401 404"},

	{"GET /api/v1/openapi.json", none, "200 200 200 200 200 200 200 200 200 200"},
	{"GET /api/v1/account", none, "200 200 200 200 200 401 200 200 200 200"},
	{"GET /api/v1/templates", none, "200 200 200 200 200 401 200 200 200 200"},
	{"GET /api/v1/doctor", none, "200 403 403 403 403 401 403 403 200 200"},
	{"GET /api/v1/findings", none, "200 403 403 403 403 401 403 403 200 200"},
	{"GET /api/v1/findings", own, "200 403 200 403 404 401 200 200 200 200"},
	{"GET /api/v1/findings", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"GET /api/v1/associations", none, "200 403 403 403 403 401 403 403 200 200"},
	{"POST /api/v1/associations", none, "202 403 403 403 403 401 403 403 202 202"},
	{"GET /api/v1/associations/:slug", own, "200 403 200 200 404 401 200 200 200 200"},
	{"GET /api/v1/associations/:slug", foreign, "200 403 404 404 404 401 404 404 200 200"},

	{"GET /api/v1/sites", none, "200 200 200 200 200 401 200 200 200 200"},
	{"GET /api/v1/sites", own, "200 403 200 200 404 401 200 200 200 200"},
	{"GET /api/v1/sites", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"POST /api/v1/sites", own, "202 403 403 403 404 401 403 403 202 202"},
	{"POST /api/v1/sites", foreign, "202 403 404 404 404 401 404 404 202 202"},
	{"GET /api/v1/sites/:id", own, "200 403 200 200 404 401 200 200 200 200"},
	{"GET /api/v1/sites/:id", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"POST /api/v1/sites/:id/suspend", own, "202 403 403 403 404 401 403 403 202 202"},
	{"POST /api/v1/sites/:id/suspend", foreign, "202 403 404 404 404 401 404 404 202 202"},
	{"POST /api/v1/sites/:id/update", own, "202 403 403 403 404 401 403 403 202 202"},
	{"POST /api/v1/sites/:id/update", foreign, "202 403 404 404 404 401 404 404 202 202"},
	{"POST /api/v1/sites/:id/resume", own, "202 403 403 403 404 401 403 403 202 202"},
	{"POST /api/v1/sites/:id/resume", foreign, "202 403 404 404 404 401 404 404 202 202"},
	{"POST /api/v1/sites/:id/delete", own, "202 403 202 403 404 401 403 202 202 202"},
	{"POST /api/v1/sites/:id/delete", foreign, "202 403 404 404 404 401 404 404 202 202"},
	{"POST /api/v1/sites/:id/restore", own, "202 403 202 403 404 401 403 202 202 202"},
	{"POST /api/v1/sites/:id/restore", foreign, "202 403 404 404 404 401 404 404 202 202"},
	{"POST /api/v1/sites/:id/purge", own, "202 403 403 403 404 401 403 403 202 202"},
	{"POST /api/v1/sites/:id/purge", foreign, "202 403 404 404 404 401 404 404 202 202"},

	{"GET /api/v1/sites/:id/backups", own, "200 403 200 200 404 401 200 200 200 200"},
	{"GET /api/v1/sites/:id/backups", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"POST /api/v1/sites/:id/backups", own, "202 403 202 403 404 401 403 202 202 202"},
	{"POST /api/v1/sites/:id/backups", foreign, "202 403 404 404 404 401 404 404 202 202"},
	{"POST /api/v1/sites/:id/backups/:snapshot/restore", own, "202 403 202 403 404 401 403 202 202 202"},
	{"POST /api/v1/sites/:id/backups/:snapshot/restore", foreign, "202 403 404 404 404 401 404 404 202 202"},

	{"GET /api/v1/egress/access", none, "200 403 403 403 403 401 403 403 200 200"},
	{"GET /api/v1/sites/:id/egress", own, "200 403 200 403 404 401 200 200 200 200"},
	{"GET /api/v1/sites/:id/egress", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"GET /api/v1/sites/:id/egress/tries", own, "200 403 200 403 404 401 200 200 200 200"},
	{"GET /api/v1/sites/:id/egress/tries", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"GET /api/v1/sites/:id/mail", own, "200 403 200 403 404 401 200 200 200 200"},
	{"GET /api/v1/sites/:id/mail", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"POST /api/v1/sites/:id/egress/access", own, "201 403 201 403 404 401 403 201 201 201"},
	{"POST /api/v1/sites/:id/egress/access", foreign, "201 403 404 404 404 401 404 404 201 201"},
	{"POST /api/v1/sites/:id/egress/access/:access/grant", own, "200 403 403 403 404 401 403 403 200 200"},
	{"POST /api/v1/sites/:id/egress/access/:access/grant", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"POST /api/v1/sites/:id/egress/access/:access/refuse", own, "200 403 403 403 404 401 403 403 200 200"},
	{"POST /api/v1/sites/:id/egress/access/:access/refuse", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"POST /api/v1/sites/:id/egress/access/:access/revoke", own, "200 403 403 403 404 401 403 403 200 200"},
	{"POST /api/v1/sites/:id/egress/access/:access/revoke", foreign, "200 403 404 404 404 401 404 404 200 200"},

	{"GET /api/v1/operations", none, "200 200 200 200 200 401 200 200 200 200"},
	{"GET /api/v1/operations", own, "200 403 200 200 404 401 200 200 200 200"},
	{"GET /api/v1/operations", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"GET /api/v1/operations/:id", own, "200 403 200 200 404 401 200 200 200 200"},
	{"GET /api/v1/operations/:id", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"GET /api/v1/operations/:id/events", own, "200 403 200 200 404 401 200 200 200 200"},
	{"GET /api/v1/operations/:id/events", foreign, "200 403 404 404 404 401 404 404 200 200"},
	{"POST /api/v1/operations/:id/cancel", own, "204 403 204 403 404 401 403 204 204 204"},
	{"POST /api/v1/operations/:id/cancel", foreign, "204 403 404 404 404 401 404 404 204 204"},
	{"POST /api/v1/operations/:id/retry", own, "204 403 204 403 404 401 403 204 204 204"},
	{"POST /api/v1/operations/:id/retry", foreign, "204 403 404 404 404 401 404 404 204 204"},

	{"GET /api/v1/audit", none, "200 403 403 403 403 401 403 403 200 200"},
	{"GET /api/v1/audit", own, "200 403 200 403 404 401 200 200 200 200"},
	{"GET /api/v1/audit", foreign, "200 403 404 404 404 401 404 404 200 200"},

	{"GET /api/v1/tokens", none, "200 200 200 200 200 401 403 403 403 200"},
	{"POST /api/v1/tokens", none, "201 201 201 201 201 401 403 403 403 201"},
	{"DELETE /api/v1/tokens/:id", own, "204 204 204 204 204 401 403 403 403 204"},
	{"DELETE /api/v1/tokens/:id", foreign, "404 404 404 404 404 401 403 403 403 204"},
	{"POST /api/v1/break-glass", none, "404 404 404 404 404 404 404 404 404 201"},
}

func TestEveryRouteStandsInTheTable(t *testing.T) {
	w := newWorld(t)
	inTable := map[string]bool{}
	scopes := map[string]map[string]bool{}
	for _, row := range table {
		inTable[row.route] = true
		if scopes[row.route] == nil {
			scopes[row.route] = map[string]bool{}
		}
		scopes[row.route][row.on] = true
	}
	mounted := map[string]bool{}
	for _, r := range w.server.Routes() {
		route := r.Method + " " + r.Path
		mounted[route] = true
		if !inTable[route] {
			t.Errorf("%s is mounted and not in the table", route)
		}
		if strings.Contains(r.Path, ":") && r.Path != assets.Prefix+":name" && (!scopes[route][own] || !scopes[route][foreign]) {
			t.Errorf("%s is about one thing and lacks a row for own or foreign", route)
		}
	}
	for route := range inTable {
		if !mounted[route] {
			t.Errorf("%s is in the table and not mounted", route)
		}
	}
}

func TestEverybodyGetsWhatTheTableSays(t *testing.T) {
	w := newWorld(t)
	w.towns()
	people := w.everybody()
	for _, row := range table {
		t.Run(row.route+" "+row.on, func(t *testing.T) {
			want := strings.Fields(row.want)
			if len(want) != len(columns) {
				t.Fatalf("row has %d cells, want %d", len(want), len(columns))
			}
			for i, name := range columns {
				by := people[i]
				if endsSessions[row.route] {
					w.clock.Advance(time.Minute) // or nobody could sign in so often
					by = w.everybody()[i]
				}
				if got := w.try(row.route, row.on, by, i); got != want[i] {
					t.Errorf("%s gets %s, want %s", name, got, want[i])
				}
			}
			if endsSessions[row.route] {
				people = w.everybody()
			}
		})
	}
}

// endsSessions are the routes after which somebody has to sign in again.
var endsSessions = map[string]bool{
	"POST /auth/logout": true, "POST /account/sessions/:id/end": true, "POST /account/sessions/end": true, "POST /people/:subject/sign-out": true,
}

// sessionFor names a session of the asker's own, or of somebody else.
func (w *world) sessionFor(by who, on string, column int) string {
	whose := by
	if on == foreign || by.cookie == "" {
		whose = w.signIn(map[bool]map[string]any{true: lea, false: eve}[column != 2])
	}
	for _, row := range strings.Split(w.do(whose, ask{path: "/account"}).body, "<li>") {
		if _, rest, ok := strings.Cut(row, `action="/account/sessions/`); ok && strings.Contains(row, "celle-ci") {
			id, _, _ := strings.Cut(rest, "/")
			return id
		}
	}
	return "none"
}

// everybody signs all of them in, in the order of the columns.
func (w *world) everybody() []who {
	manager, admin := w.signIn(lea), w.signIn(ana)
	return []who{
		admin, w.signIn(weak), manager, w.signIn(ali), w.signIn(eve), {},
		{bearer: w.newToken(manager, "read")}, {bearer: w.newToken(manager, "write")}, {bearer: w.newToken(admin, "write")}, {local: true},
	}
}

var secretShown = strings.NewReplacer("<code class=\"secret\" tabindex=\"0\">", "\x00", "</code>", "\x00")

func (w *world) newToken(by who, scope string) string {
	w.t.Helper()
	r := w.do(by, ask{method: "POST", path: "/account/tokens", form: url.Values{"label": {"essai"}, "scope": {scope}, "days": {"30"}}})
	for _, part := range strings.Split(secretShown.Replace(r.body), "\x00") {
		if strings.HasPrefix(part, "chat_") {
			return part
		}
	}
	w.t.Fatalf("no secret on the page (%d)", r.status)
	return ""
}

// try asks for a route on fresh things of one's own or of others, and tells the status.
func (w *world) try(route, on string, by who, column int) string {
	method, path, _ := strings.Cut(route, " ")
	slug := on
	if slug == none {
		slug = own
	}
	return told(w.send(by, w.filled(w.aimed(method, path, on, slug, by, column), on, slug)))
}

// aimed puts fresh things into the variable parts of a path.
func (w *world) aimed(method, path, on, slug string, by who, column int) ask {
	a := ask{method: method, path: path}
	switch {
	case strings.Contains(path, "/sessions/:id"):
		a.path = strings.Replace(path, ":id", w.sessionFor(by, on, column), 1)
	case strings.Contains(path, ":subject"):
		a.path = strings.Replace(path, ":subject", map[bool]string{true: "ali", false: "eve"}[on == own], 1)
	case strings.Contains(path, "/tokens/:id"):
		a.path = strings.Replace(path, ":id", w.tokenFor(by, on, column), 1)
	case strings.Contains(path, "/sites/:id"):
		x := w.site(slug, stateFor(path))
		a.path = strings.Replace(path, ":id", x.ID, 1)
		a.form = url.Values{"confirm": {x.Host}}
		if strings.Contains(path, "/egress") {
			a = w.aboutEgress(a, path, x)
		}
		if strings.Contains(path, ":snapshot") {
			must(w.t, w.records.SaveSnapshots(w.t.Context(), x.AssociationID, []tenants.Snapshot{{ID: "k1", SiteID: x.ID, TakenAt: w.clock.Now()}}))
			a.path = strings.Replace(a.path, ":snapshot", "k1", 1)
		}
	case strings.Contains(path, "/operations/:id"):
		state := operations.Queued
		if strings.HasSuffix(path, "/retry") {
			state = operations.Stuck
		}
		a.path = strings.Replace(path, ":id", w.asked(slug, provision.KindSiteDelete, tenants.SideAssociation, state).ID, 1)
	case strings.Contains(path, ":slug"):
		a.path = strings.Replace(path, ":slug", slug, 1)
	case path == "/assets/:name":
		static, _ := assets.Load()
		a.path = static.URL("app.css")
	}
	return a
}

// aboutEgress fills in a wish, or makes one to be decided.
func (w *world) aboutEgress(a ask, path string, x tenants.Site) ask {
	a.form = url.Values{"name": {"api.example.org"}, "ports": {"443"}, "reason": {"la carte"}}
	if path == "/api/v1/sites/:id/egress/access" {
		a.json = `{"name":"api.example.org","ports":[443],"reason":"la carte"}`
	}
	if !strings.Contains(path, ":access") {
		return a
	}
	wish := w.wish(x.ID, "api.example.org")
	if strings.HasSuffix(path, "/revoke") {
		_, err := w.access.Grant(w.t.Context(), provision.Request{Principal: tenants.Local()}, x.ID, wish.ID, "")
		must(w.t, err)
	}
	a.path, a.form = strings.Replace(a.path, ":access", wish.ID, 1), url.Values{}
	return a
}

// wish asks that a site may reach a name.
func (w *world) wish(siteID, name string) tenants.EgressGrant {
	w.t.Helper()
	wish := egressgrant.Request{Name: name, Ports: []int{443}, Reason: "la carte"}
	a, err := w.access.Ask(w.t.Context(), provision.Request{Principal: tenants.Local()}, siteID, wish)
	must(w.t, err)
	return a
}

// filled puts in what the route needs to be asked rightly, so that authorisation alone decides.
func (w *world) filled(a ask, on, slug string) ask {
	fresh := strconv.FormatInt(w.address.Load(), 10)
	switch a.method + " " + a.path {
	case "POST /associations":
		a.form = url.Values{"name": {"Association " + fresh}}
	case "POST /sites":
		a.form = url.Values{"association": {slug}, "template": {"wordpress"}, "name": {"Site"}, "host": {"site-" + fresh}}
	case "POST /account/tokens":
		a.form = url.Values{"label": {"essai"}, "scope": {"read"}, "days": {"30"}}
	case "POST /api/v1/associations":
		a.json = `{"name":"Association ` + fresh + `"}`
	case "POST /api/v1/sites":
		a.json = fmt.Sprintf(`{"association":%q,"template":"wordpress","name":"Site","host":"site-%s"}`, slug, fresh)
	case "POST /api/v1/tokens":
		a.json = `{"label":"essai","scope":"read"}`
	case "GET /api/v1/findings":
		if on != none {
			a.path += "?site=" + w.site(slug, tenants.StateReady).ID
		}
	case "GET /api/v1/sites", "GET /api/v1/operations", "GET /api/v1/audit":
		if on != none {
			a.path += "?association=" + slug
		}
	}
	if a.method != http.MethodGet && a.json == "" && strings.HasPrefix(a.path, "/api/") {
		a.json = "{}" // carries the form token in its header
	}
	return a
}

func stateFor(path string) tenants.SiteState {
	switch {
	case strings.Contains(path, "/backups"):
		return tenants.StateReady
	case strings.HasSuffix(path, "/resume"):
		return tenants.StateSuspended
	case strings.HasSuffix(path, "/restore"), strings.HasSuffix(path, "/purge"):
		return tenants.StateBinned
	}
	return tenants.StateReady
}

// tokenFor makes a token of the asker's own, or of somebody else.
func (w *world) tokenFor(by who, on string, column int) string {
	maker := by
	if on == foreign || by.cookie == "" {
		maker = w.signIn(map[bool]map[string]any{true: lea, false: eve}[column != 2])
	}
	r := w.do(maker, ask{method: "POST", path: "/api/v1/tokens", json: `{"label":"essai","scope":"read"}`})
	_, rest, _ := strings.Cut(r.body, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// send does not wait for the end of a stream.
func (w *world) send(by who, a ask) *http.Response {
	res := w.open(by, a)
	_ = res.Body.Close()
	return res
}

func told(res *http.Response) string {
	if location := res.Header.Get("Location"); res.StatusCode == http.StatusSeeOther && strings.HasPrefix(location, "/sign-in") {
		return "401"
	}
	return strconv.Itoa(res.StatusCode)
}
