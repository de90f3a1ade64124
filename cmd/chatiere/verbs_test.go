package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
)

var (
	noon        = time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	yes         = true
	association = api.Association{ID: "a1", Slug: "amap", Name: "Amap du Puy", State: "active"}
	visitors    = int64(321)
	site        = api.Site{
		ID: "s7k2m9qx4p", Association: "amap", Name: "Amap du Puy", Host: "amap.lilas.example", URL: "https://amap.lilas.example:8443",
		Template: "wordpress", Version: "6.8", State: "ready", Health: "up", DiskBytes: 4096, RequestsToday: &visitors,
	}
	queued = api.Operation{
		ID: "01OP", Kind: "site.provision", State: "queued", Association: "amap", Site: "s7k2m9qx4p", CreatedBy: "camille", CreatedAt: noon,
		Done: 1, Total: 2, Steps: []api.Step{{Name: "files", State: "done"}, {Name: "install", State: "running", Attempt: 3}},
	}
	diagnosis = api.Diagnosis{Checks: []api.Check{{Name: "docker", State: api.CheckGreen, Found: "27.1"}, {Name: "disk", State: api.CheckAmber, Found: "9 %", Advice: "Make room."}}}
	wanted    = api.Access{ID: "e1", Site: "s1", Name: "a.example", Ports: []int{443}, Reason: "map", State: "asked", AskedBy: "camille", AskedAt: noon}
	token     = api.Token{ID: "t1", Label: "backup", Scope: "read", Maker: "camille", ExpiresAt: &noon}
)

// verb is one command line, what it asks the panel, and what it prints.
type verb struct {
	args   string
	asks   string // method and URI
	body   string // part of what it sends, "" when it sends nothing
	answer any
	text   []string // fields of each line
}

var verbs = []verb{
	{"association create --name Amap --slug amap", "POST /api/v1/associations", `{"name":"Amap","slug":"amap"}`, queued, []string{"amap is being created: operation 01OP"}},
	{"association create --name Amap", "POST /api/v1/associations", `{"name":"Amap"}`, queued, []string{"amap is being created: operation 01OP"}},
	{"association list", "GET /api/v1/associations", "", api.List[api.Association]{Items: []api.Association{association}},
		[]string{"SLUG NAME STATE", "amap Amap du Puy active"}},
	{"association show amap", "GET /api/v1/associations/amap", "", association, []string{"amap Amap du Puy active"}},
	{"site create --association amap --template wordpress --name Amap --host amap --admin-email a@lilas.example", "POST /api/v1/sites",
		`{"association":"amap","template":"wordpress","name":"Amap","host":"amap","admin_email":"a@lilas.example"}`, queued, []string{"operation 01OP: queued"}},
	{"site list", "GET /api/v1/sites?", "", api.List[api.Site]{Items: []api.Site{site}},
		[]string{"ID HOST ASSOCIATION TEMPLATE STATE HEALTH", "s7k2m9qx4p amap.lilas.example amap wordpress 6.8 ready up"}},
	{"site list --association amap --state ready --search puy&co", "GET /api/v1/sites?association=amap&q=puy%26co&state=ready", "", api.List[api.Site]{Items: []api.Site{}},
		[]string{"ID HOST ASSOCIATION TEMPLATE STATE HEALTH"}},
	{"site show s7k2m9qx4p", "GET /api/v1/sites/s7k2m9qx4p", "", site, []string{
		"SITE", "id s7k2m9qx4p", "name Amap du Puy", "address https://amap.lilas.example:8443", "association amap", "template wordpress 6.8",
		"state ready", "health up", "disk 4096 bytes", "requests today 321"}},
	{"site show ../tokens", "GET /api/v1/sites/..%2Ftokens", "", api.Site{ID: "s1"}, []string{
		"SITE", "id s1", "name", "address", "association", "template", "state", "health", "disk 0 bytes"}},
	{"site show s1", "GET /api/v1/sites/s1", "", api.Site{ID: "s1", UpdateAvailable: new(bool)}, []string{
		"SITE", "id s1", "name", "address", "association", "template", "state", "health", "disk 0 bytes", "update none"}},
	{"site show s2", "GET /api/v1/sites/s2", "", api.Site{ID: "s2", State: "ready", UpdateAvailable: &yes}, []string{
		"SITE", "id s2", "name", "address", "association", "template", "state ready", "health", "disk 0 bytes",
		"update available: chatiere site update s2"}},
	{"site show s3", "GET /api/v1/sites/s3", "", api.Site{ID: "s3", State: "suspended", UpdateAvailable: &yes}, []string{
		"SITE", "id s3", "name", "address", "association", "template", "state suspended", "health", "disk 0 bytes",
		"update available once the site is in operation"}},
	{"site suspend s1", "POST /api/v1/sites/s1/suspend", "", queued, []string{"operation 01OP: queued"}},
	{"site resume s1", "POST /api/v1/sites/s1/resume", "", queued, []string{"operation 01OP: queued"}},
	{"site delete s1", "POST /api/v1/sites/s1/delete", "", queued, []string{"operation 01OP: queued"}},
	{"site restore s1", "POST /api/v1/sites/s1/restore", "", queued, []string{"operation 01OP: queued"}},
	{"site update s1 --mode mutualise", "POST /api/v1/sites/s1/update?mode=mutualise", "", queued, []string{"operation 01OP: queued"}},
	{"site update s1", "POST /api/v1/sites/s1/update", "", queued, []string{"operation 01OP: queued"}},
	{"site purge s1", "POST /api/v1/sites/s1/purge", "", queued, []string{"operation 01OP: queued"}},
	{"backup run s1", "POST /api/v1/sites/s1/backups", "", queued, []string{"operation 01OP: queued"}},
	{"backup restore s1 k/1", "POST /api/v1/sites/s1/backups/k%2F1/restore", "", queued, []string{"operation 01OP: queued"}},
	{"backup list s1", "GET /api/v1/sites/s1/backups", "", api.List[api.Snapshot]{Items: []api.Snapshot{
		{ID: "k1", TakenAt: noon, Reason: "daily", Files: 33, Bytes: 4096, MissingCount: 2}}},
		[]string{"BACKUP TAKEN REASON FILES BYTES MISSING", "k1 2026-11-22 12:00:00 daily 33 4096 2"}},
	{"site mail s1 --limit 2", "GET /api/v1/sites/s1/mail?limit=2", "", api.SiteMail{Items: []api.Mail{
		{To: "l…@a.example", State: "deferred", Cause: "refused", Count: 2, Accepted: noon, Next: &noon, Said: "4.2.0 greylisted"}, {State: "refused", Cause: "full", Count: 7, Accepted: noon}}},
		[]string{"ACCEPTED TO STATE CAUSE COUNT NEXT TRY THE SERVER SAID", "2026-11-22 12:00:00 l…@a.example deferred refused 2 2026-11-22 12:00:00 4.2.0 greylisted",
			"2026-11-22 12:00:00 refused full 7"}},
	{"egress show s1", "GET /api/v1/sites/s1/egress", "", api.Egress{Allowed: []api.Reachable{{Name: "*.wordpress.org", Ports: []int{80, 443}, From: "template"}}},
		[]string{"NAME PORTS FROM", "*.wordpress.org 80,443 template"}},
	{"egress tries s1 --days 3", "GET /api/v1/sites/s1/egress/tries?days=3", "", api.List[api.Try]{Items: []api.Try{
		{Name: "a.example", Decision: "refused", Count: 3, Reason: "name not in list", Last: noon}, {Port: 443, Decision: "allowed", Count: 1, Sent: 2, Received: 3, Last: noon}}},
		[]string{"NAME PORT DECISION TRIES BYTES LAST REASON", "a.example * refused 3 0 2026-11-22 12:00:00 name not in list", "(others) 443 allowed 1 5 2026-11-22 12:00:00"}},
	{"egress asked", "GET /api/v1/egress/access", "", api.List[api.Access]{Items: []api.Access{wanted}},
		[]string{"SITE ID NAME PORTS ASKED BY AT REASON", "s1 e1 a.example 443 camille 2026-11-22 12:00:00 map"}},
	{"egress ask s1 a.example --ports 443,587 --reason map", "POST /api/v1/sites/s1/egress/access", `{"name":"a.example","ports":[443,587],"reason":"map"}`, wanted,
		[]string{"e1 asked a.example:443"}},
	{"egress grant s1 e1", "POST /api/v1/sites/s1/egress/access/e1/grant", `{}`, wanted, []string{"e1 asked a.example:443"}},
	{"egress refuse s1 ../x --answer no", "POST /api/v1/sites/s1/egress/access/..%2Fx/refuse", `{"answer":"no"}`, wanted, []string{"e1 asked a.example:443"}},
	{"egress revoke s1 e1", "POST /api/v1/sites/s1/egress/access/e1/revoke", `{}`, wanted, []string{"e1 asked a.example:443"}},
	{"operation list", "GET /api/v1/operations", "", api.List[api.Operation]{Items: []api.Operation{queued}},
		[]string{"ID KIND STATE STEPS SITE CREATED BY", "01OP site.provision queued 1/2 s7k2m9qx4p 2026-11-22 12:00:00 camille"}},
	{"operation show 01OP", "GET /api/v1/operations/01OP", "", queued,
		[]string{"01OP site.provision queued", "STEP STATE FAILURES", "files done 0", "install running 3"}},
	{"template list", "GET /api/v1/templates", "", api.List[api.Template]{Items: []api.Template{{Name: "wordpress", Title: "WordPress", Version: "6.8", Summary: "Un site", Modes: []string{"autonome", "mutualise"}}}},
		[]string{"NAME VERSION MODES TITLE SUMMARY", "wordpress 6.8 autonome mutualise WordPress Un site"}},
	{"token create --label backup --scope write --days 7", "POST /api/v1/tokens", `{"label":"backup","scope":"write","days":7}`,
		api.CreatedToken{Token: token, Secret: "cht_secret"}, []string{"cht_secret"}},
	{"token create --label backup", "POST /api/v1/tokens", `{"label":"backup","scope":"read","days":90}`,
		api.CreatedToken{Token: token, Secret: "cht_secret"}, []string{"cht_secret"}},
	{"token list", "GET /api/v1/tokens", "", api.List[api.Token]{Items: []api.Token{token, {ID: "t2", Label: "old", Scope: "write", Maker: "sacha"}}},
		[]string{"ID LABEL SCOPE MAKER ENDS", "t1 backup read camille 2026-11-22 12:00:00", "t2 old write sacha never"}},
	{"doctor", "GET /api/v1/doctor", "", diagnosis, []string{"STATE WHAT FOUND WHAT TO DO", "green docker 27.1", "amber disk 9 % Make room."}},
	{"audit list --association lilas --act site.create --limit 2", "GET /api/v1/audit?act=site.create&association=lilas&limit=2", "",
		api.AuditPage{Items: []api.AuditEntry{{ID: 7, At: noon, Kind: "token", Name: "Léa (script)", Act: "site.create", Association: "lilas", Site: "s7k2m9qx4p"}}},
		[]string{"ID WHEN WHO AS ACT ABOUT", "7 2026-11-22 12:00:00 Léa (script) token site.create lilas s7k2m9qx4p"}},
	{"break-glass", "POST /api/v1/break-glass", "", api.BreakGlassLink{URL: "https://panel.lilas.example/break-glass?key=k"}, []string{"https://panel.lilas.example/break-glass?key=k"}},
}

func TestEachVerbAsksThePanelOnceAndPrintsItsAnswer(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.args, func(t *testing.T) {
			p := newStandIn(t, map[string][]reply{v.asks: one(v.answer)})
			code, stdout, stderr := p.says(strings.Fields(v.args)...)
			if code != api.ExitOK || stderr != "" || !slices.Equal(p.seen, []string{v.asks}) || p.bodies[0] != v.body {
				t.Errorf("ended with %d after asking %q with %q\n%s", code, p.seen, p.bodies, stderr)
			}
			if got := fields(stdout); !slices.Equal(got, v.text) {
				t.Errorf("printed %q, want %q", got, v.text)
			}
		})
	}
}

// fields returns the text's lines, with one blank between fields.
func fields(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}

func TestEachVerbHandsTheAnswerToProgramsAsItIs(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.args, func(t *testing.T) {
			p := newStandIn(t, map[string][]reply{v.asks: one(v.answer)})
			code, stdout, stderr := p.says(append(strings.Fields(v.args), "--json")...)
			if code != api.ExitOK || stderr != "" || !sameJSON(t, stdout, v.answer) {
				t.Errorf("ended with %d: %s%s", code, stdout, stderr)
			}
		})
	}
}

func TestEveryVerbThatAsksThePanelIsTried(t *testing.T) {
	tried := map[string]bool{"operation watch": true, "operation cancel": true, "operation retry": true, "token revoke": true, "template check": true, "config check": true, "audit verify": true, "records accept": true}
	for _, v := range verbs {
		words := strings.Fields(v.args)
		tried[strings.Join(words[:min(2, len(words))], " ")] = true
	}
	for _, group := range (&program{}).command().Commands() {
		if group.Name() == "completion" {
			continue
		}
		for _, c := range group.Commands() {
			if name := group.Name() + " " + c.Name(); !tried[name] {
				t.Errorf("no test of %q among %v", name, slices.Sorted(maps.Keys(tried)))
			}
		}
	}
}

func TestASiteIsCreatedUnderTheGivenKey(t *testing.T) {
	p := newStandIn(t, map[string][]reply{"POST /api/v1/sites": one(queued)})
	if code, _, stderr := p.says("site", "create", "--host", "amap", "--key", "autumn"); code != api.ExitOK || p.keys[0] != "autumn" {
		t.Errorf("ended with %d, key %q: %s", code, p.keys, stderr)
	}
}

func TestAnActOnAnOperationShowsItAsItThenIs(t *testing.T) {
	for _, act := range []string{"cancel", "retry"} {
		p := newStandIn(t, map[string][]reply{
			"POST /api/v1/operations/01OP/" + act: {{202, nil}}, "GET /api/v1/operations/01OP": one(queued),
		})
		if code, stdout, stderr := p.says("operation", act, "01OP"); code != api.ExitOK || stdout != "operation 01OP: queued\n" {
			t.Errorf("%s ended with %d: %s%s", act, code, stdout, stderr)
		}
		if want := []string{"POST /api/v1/operations/01OP/" + act, "GET /api/v1/operations/01OP"}; !slices.Equal(p.seen, want) {
			t.Errorf("asked for %q", p.seen)
		}
	}
}

func TestAnActThatComesTooLateIsNotToldAsDone(t *testing.T) {
	p := newStandIn(t, map[string][]reply{
		"POST /api/v1/operations/01OP/cancel": {{409, api.Envelope{Error: api.Error{Code: api.CodeTooLate, Message: "Too late."}}}},
	})
	if code, stdout, _ := p.says("operation", "cancel", "01OP"); code != api.ExitConflict || stdout != "" {
		t.Errorf("ended with %d: %s", code, stdout)
	}
}

func TestARevokedTokenIsNamed(t *testing.T) {
	p := newStandIn(t, map[string][]reply{"DELETE /api/v1/tokens/t1": {{204, nil}}})
	if code, stdout, _ := p.says("token", "revoke", "t1"); code != api.ExitOK || stdout != "t1 is revoked\n" {
		t.Errorf("ended with %d: %s", code, stdout)
	}
	if code, stdout, _ := p.says("token", "revoke", "t1", "--json"); code != api.ExitOK || !sameJSON(t, stdout, map[string]string{"revoked": "t1"}) {
		t.Errorf("ended with %d: %s", code, stdout)
	}
}

func TestTheDoctorEndsWithOneForARedLineAndStillTellsAll(t *testing.T) {
	ill := api.Diagnosis{Checks: append([]api.Check{{Name: "keycloak", State: api.CheckRed, Found: "refused", Advice: "Start it."}}, diagnosis.Checks...)}
	p := newStandIn(t, map[string][]reply{"GET /api/v1/doctor": one(ill)})
	code, stdout, stderr := p.says("doctor")
	if code != api.ExitFailed || len(fields(stdout)) != 4 || !strings.Contains(stdout, "Start it.") || !strings.Contains(stderr, "red") {
		t.Errorf("ended with %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := p.says("doctor", "--json"); code != api.ExitFailed || !sameJSON(t, stdout, ill) {
		t.Errorf("in JSON it ended with %d: %s", code, stdout)
	}
}

func TestNoVerbHidesARefusalOrAnAnswerThatCannotBePrinted(t *testing.T) {
	all := append(slices.Clone(verbs),
		verb{args: "operation cancel 01OP", asks: "POST /api/v1/operations/01OP/cancel"}, verb{args: "operation watch 01OP", asks: "GET /api/v1/operations/01OP"},
		verb{args: "token revoke t1", asks: "DELETE /api/v1/tokens/t1"}, verb{args: "association create --name Amap --wait", asks: "POST /api/v1/associations"})
	for _, v := range all {
		p := newStandIn(t, map[string][]reply{v.asks: {{404, api.Envelope{Error: api.Error{Code: api.CodeNotFound, Message: "No such thing."}}}}})
		if code, stdout, stderr := p.says(strings.Fields(v.args)...); code != api.ExitNotFound || stdout != "" || !strings.Contains(stderr, "No such thing.") {
			t.Errorf("%s, refused, ended with %d: %s%s", v.args, code, stdout, stderr)
		}
	}
	for _, v := range verbs {
		for _, format := range []string{"", " --json"} {
			p := newStandIn(t, map[string][]reply{v.asks: one(v.answer)})
			var complaint strings.Builder
			code := run(t.Context(), strings.Fields(v.args+format), []string{"CHATIERE_SOCKET=" + p.socket}, strings.NewReader(""), closed{}, &complaint)
			if code != api.ExitFailed || !strings.Contains(complaint.String(), errClosed.Error()) {
				t.Errorf("%s%s, to nobody, ended with %d: %s", v.args, format, code, complaint.String())
			}
		}
	}
	p := newStandIn(t, map[string][]reply{
		"POST /api/v1/operations/01OP/cancel": {{202, nil}}, "GET /api/v1/operations/01OP": {{503, nil}},
	})
	if code, _, _ := p.says("operation", "cancel", "01OP"); code != api.ExitUnavailable {
		t.Errorf("an act whose outcome is not known ended with %d", code)
	}
}

// closed is an output that nobody reads.
type closed struct{}

var errClosed = errors.New("nobody reads")

func (closed) Write([]byte) (int, error) { return 0, errClosed }
