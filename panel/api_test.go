package panel_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

func decoded[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("answer %d is no JSON: %v: %s", r.status, err, r.body)
	}
	return v
}

func TestTheAPIExplainsFaults(t *testing.T) {
	w := newWorld(t)
	w.towns()
	taken := w.site("roses", tenants.StateReady)
	root := who{local: true}
	for name, c := range map[string]struct {
		json   string
		header map[string]string
		status int
		code   api.Code
	}{
		"broken":          {json: `{"name":`, status: 400, code: api.CodeMalformed},
		"two values":      {json: `{} {}`, status: 400, code: api.CodeMalformed},
		"wrong type":      {json: `{"name":7}`, status: 400, code: api.CodeMalformed},
		"unknown field":   {json: `{"nmae":"x"}`, status: 400, code: api.CodeMalformed},
		"not JSON":        {json: `name=x`, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, status: 400, code: api.CodeMalformed},
		"no association":  {json: `{"association":"none","name":"x","host":"y","template":"wordpress"}`, status: 404, code: api.CodeNotFound},
		"several at once": {json: `{"association":"lilas","host":"` + taken.Host + `","template":"none"}`, status: 422, code: api.CodeInvalid},
	} {
		r := w.do(root, ask{method: "POST", path: "/api/v1/sites", json: c.json, header: c.header})
		e := decoded[api.Envelope](t, r)
		if r.status != c.status || e.Error.Code != c.code || e.Error.RequestID != r.header.Get("X-Request-Id") || e.Error.Message == "" {
			t.Errorf("%s: %d %+v", name, r.status, e.Error)
		}
		if c.status == 422 && (len(e.Error.Faults) != 3 || e.Error.Faults[2].Proposal == "") {
			t.Errorf("%s: faults are %+v", name, e.Error.Faults)
		}
	}
	r := w.do(root, ask{path: "/api/v1/sites?state=nonsense"})
	if r.status != 422 {
		t.Errorf("an unknown state answers %d", r.status)
	}
	if r := w.do(who{bearer: "chat_nonsense"}, ask{path: "/api/v1/account"}); r.status != 401 {
		t.Errorf("a token that is none answers %d", r.status)
	}
}

func TestAWishSentTwiceByTheAPIIsOneOperation(t *testing.T) {
	w := newWorld(t)
	w.towns()
	x := w.site("lilas", tenants.StateReady)
	a := ask{method: "POST", path: "/api/v1/sites/" + x.ID + "/suspend", json: "{}", header: map[string]string{api.HeaderIdempotency: "k1"}}
	one := w.do(who{local: true}, a)
	two := w.do(who{local: true}, a)
	op := decoded[api.Operation](t, one)
	if one.status != http.StatusAccepted || op.ID == "" || decoded[api.Operation](t, two).ID != op.ID || one.header.Get("Location") != "/api/v1/operations/"+op.ID {
		t.Errorf("answers are %d %s and %d %s", one.status, one.body, two.status, two.body)
	}
	if other := w.do(who{local: true}, ask{method: "POST", path: a.path, json: "{}"}); other.status != http.StatusConflict || decoded[api.Envelope](t, other).Error.Code != api.CodeBusy {
		t.Errorf("another wish meanwhile: %d %s", other.status, other.body)
	}
}

func TestWaitingAnswersWhenTheOperationIsOver(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.operation("lilas", operations.Queued)
	answered := make(chan reply, 1)
	go func() { answered <- w.do(who{local: true}, ask{path: "/api/v1/operations/" + op.ID + "?wait=20s"}) }()
	w.finish(op.ID, operations.Done)
	select {
	case r := <-answered:
		if got := decoded[api.Operation](t, r); got.State != "done" || got.Association != "lilas" || !got.Ended() {
			t.Errorf("answered %+v", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("went on waiting")
	}
	begin := time.Now()
	still := w.operation("lilas", operations.Queued)
	r := w.do(who{local: true}, ask{path: "/api/v1/operations/" + still.ID + "?wait=50ms"})
	if got := decoded[api.Operation](t, r); got.State != "queued" || time.Since(begin) > 5*time.Second {
		t.Errorf("a short wait answered %+v after %s", got, time.Since(begin))
	}
}

func TestAStepTellsHowFarItIs(t *testing.T) {
	w := newWorld(t)
	w.towns()
	op := w.operation("lilas", operations.Queued)
	claimed, err := w.records.Claim(t.Context(), "test", operations.Lanes(), time.Minute)
	must(t, err)
	step := claimed.Steps[0]
	step.State = operations.StepDoing
	must(t, w.records.Advance(t.Context(), op.ID, claimed.Lease.Fence, operations.Running, step))
	must(t, w.records.SetProgress(t.Context(), op.ID, claimed.Lease.Fence, 0, operations.Progress{Done: 12, Total: 48, Unit: "files"}))
	r := w.do(who{local: true}, ask{path: "/api/v1/operations/" + op.ID})
	got := decoded[api.Operation](t, r)
	if p := got.Steps[0].Progress; p == nil || *p != (api.Progress{Done: 12, Total: 48, Unit: "files"}) || got.Steps[1].Progress != nil {
		t.Errorf("answered %s", r.body)
	}
	page := w.do(w.signIn(lea), ask{path: "/operations/" + op.ID})
	if !strings.Contains(page.body, `max="48" value="12"`) {
		t.Errorf("the page does not show it: %s", page.body)
	}
}

func TestATokenAppearsWithItsMakerAndIsRevoked(t *testing.T) {
	w := newWorld(t)
	by := w.signIn(lea)
	made := decoded[api.CreatedToken](t, w.do(by, ask{method: "POST", path: "/api/v1/tokens", json: `{"label":"Sauvegarde","scope":"read","days":7}`}))
	who := who{bearer: made.Secret}
	me := decoded[api.Account](t, w.do(who, ask{path: "/api/v1/account"}))
	if me.Kind != "token" || me.Memberships["lilas"] != "manager" || me.Admin {
		t.Errorf("the token is %+v", me)
	}
	list := decoded[api.List[api.Token]](t, w.do(by, ask{path: "/api/v1/tokens"}))
	if len(list.Items) != 1 || list.Items[0].Maker != "Léa Martin" || list.Items[0].UsedAt == nil {
		t.Errorf("the list is %+v", list.Items)
	}
	if r := w.do(by, ask{method: "DELETE", path: "/api/v1/tokens/" + made.ID, json: "{}"}); r.status != http.StatusNoContent {
		t.Errorf("revoking answers %d", r.status)
	}
	if r := w.do(who, ask{path: "/api/v1/account"}); r.status != http.StatusUnauthorized {
		t.Errorf("the revoked token gets %d", r.status)
	}
}
