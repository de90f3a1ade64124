package panel_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"chatiere/panel/api"
	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// bad is a request that must be refused: what it is, and what is sent.
type bad struct {
	name   string
	path   string
	body   string
	header map[string]string
}

const oversize = 1 << 20

// badBodies are made from what the document says of the body: each property in turn breaks each of its bounds, beside
// what no body may be.
func badBodies(t *testing.T, s *openapi3.Schema) map[string]string {
	t.Helper()
	good := map[string]any{}
	for name, p := range s.Properties {
		good[name] = sample(p.Value)
	}
	whole := encoded(t, good)
	out := map[string]string{
		"an array": `[]`, "a string": `"x"`, "a number": `7`, "broken": whole[:len(whole)-1], "two values": whole + whole, "trailing": whole + "x",
		"unknown field": `{"nobody_knows":1}`, "deep": strings.Repeat(`{"a":`, 1e4) + "1" + strings.Repeat("}", 1e4),
		"deep arrays": strings.Repeat("[", 1e5), "not UTF-8": "{\"name\":\"\xff\xfe\"}", "half a surrogate": `{"name":"\ud800"}`, "oversize": `{"name":"` + strings.Repeat("a", oversize) + `"}`,
	}
	for name, p := range s.Properties {
		for what, v := range outOfBounds(p.Value) {
			broken := maps.Clone(good)
			broken[name] = v
			out[name+" is "+what] = encoded(t, broken)
		}
		out[name+" stands twice"] = strings.TrimSuffix(whole, "}") + fmt.Sprintf(`,%q:%s}`, name, encoded(t, good[name]))
		out[name+" in capitals"] = strings.Replace(whole, fmt.Sprintf("%q:", name), fmt.Sprintf("%q:", strings.ToUpper(name)), 1)
		if slices.Contains(s.Required, name) {
			lacking := maps.Clone(good)
			delete(lacking, name)
			out[name+" is missing"] = encoded(t, lacking)
		}
	}
	return out
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return string(b)
}

func sample(s *openapi3.Schema) any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type.Is("integer"):
		return 1
	case s.Type.Is("boolean"):
		return true
	case s.Type.Is("array"):
		return []any{}
	case s.Format == "email":
		return "a@b.example"
	}
	return "lilas"
}

func outOfBounds(s *openapi3.Schema) map[string]any {
	out := map[string]any{"an object": map[string]any{"a": 1}, "a nested array": []any{[]any{1}}}
	switch {
	case s.Type.Is("string"):
		out["a number"], out["true"] = 7, true
		if s.Format == "" {
			out["with a zero byte"] = "a\x00b"
			out["with a reversal"] = "a\u202eb"
		}
		if s.MaxLength != nil {
			out["too long"] = strings.Repeat("é", int(*s.MaxLength)+1)
		}
		if s.MinLength > 0 {
			out["blank"] = " \u00a0 "
		}
		if len(s.Enum) > 0 {
			out["none of the list"] = "everything"
		}
	case s.Type.Is("integer"):
		out["a string"], out["a fraction"], out["huge"] = "7", 1.5, json.Number("1e300")
		if s.Min != nil {
			out["too small"] = *s.Min - 1
		}
		if s.Max != nil {
			out["too large"] = *s.Max + 1
		}
	case s.Type.Is("boolean"):
		out["a string"], out["a number"] = "true", 1
	}
	return out
}

// badQueries breaks the bounds of each parameter.
func badQueries(o *openapi3.Operation) map[string]string {
	out := map[string]string{"an unknown parameter": "nobody_knows=1", "not UTF-8": "q=%ff%fe"}
	for _, p := range o.Parameters {
		if p.Value.In != "query" {
			continue
		}
		name, s := p.Value.Name, p.Value.Schema.Value
		for what, v := range outOfBounds(s) {
			if text, ok := v.(string); ok && !s.Type.Is("integer") && !s.Type.Is("boolean") && (s.MaxLength == nil || what == "too long") {
				out[name+" is "+what] = name + "=" + url.QueryEscape(text)
			}
		}
		if !s.Type.Is("string") {
			out[name+" is a word"] = name + "=banana"
		}
		if s.Max != nil {
			out[name+" is too large"] = fmt.Sprintf("%s=%.0f", name, *s.Max+1)
		}
		out[name+" stands twice"] = name + "=&" + name + "="
	}
	return out
}

// badNames stand where an id or a slug should.
var badNames = []string{
	"%00", "%ff%fe", "%2e%2e%2f%2e%2e%2faccount", "..%5c..", "%27%20OR%201=1--%20", "%25", "*", "s000000000%20", "%EF%BD%93000000000", "s;x", "a%2fb",
	strings.Repeat("a", 4000), "0", "null", "-1", "s000000000", "nobody-has-it", "%E2%80%AE",
}

// badRequests lists what an operation must refuse. Things of the own association stand where ids are needed.
func (w *world) badRequests(t *testing.T, method, path string, o *openapi3.Operation, by who) []bad {
	t.Helper()
	route := braced.ReplaceAllString(path, ":$1")
	aim := func() string { return w.aimed(method, api.Prefix+route, own, own, by, 0).path }
	var out []bad
	if strings.Contains(path, "{") {
		for _, name := range badNames {
			out = append(out, bad{name: "named " + name, path: api.Prefix + braced.ReplaceAllString(path, name)})
		}
	}
	for what, q := range badQueries(o) {
		out = append(out, bad{name: what, path: aim() + "?" + q})
	}
	if method == http.MethodGet {
		return out
	}
	out = append(out, bad{name: "a form", path: aim(), body: "name=x", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
		bad{name: "a body that is not text", path: aim(), body: "\x00\xff", header: map[string]string{"Content-Type": "application/octet-stream"}})
	bodies := map[string]string{"a body it does not take": `{"nobody_knows":1}`, "an array": "[]", "oversize": `"` + strings.Repeat("a", oversize) + `"`}
	if o.RequestBody != nil {
		bodies = badBodies(t, o.RequestBody.Value.Content.Get("application/json").Schema.Value)
		bodies["no body"] = ""
	}
	for what, body := range bodies {
		out = append(out, bad{name: what, path: aim(), body: body, header: map[string]string{"Content-Type": "application/json"}})
	}
	for what, key := range map[string]string{"a long key": strings.Repeat("k", 300), "a key of other signs": "clé"} {
		out = append(out, bad{name: what, path: aim(), body: "{}", header: map[string]string{"Content-Type": "application/json", api.HeaderIdempotency: key}})
	}
	return out
}

func TestEveryRouteRefusesHostileInputInWordsAndWritesNothing(t *testing.T) {
	w := newWorld(t)
	doc := w.document()
	w.towns()
	manager := w.signIn(lea)
	principals := map[string]who{"local socket": {local: true}, "manager": manager, "token": {bearer: w.newToken(manager, "write")}}
	tried := 0
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			for name, by := range principals {
				t.Run(method+" "+path+" as "+name, func(t *testing.T) {
					for _, b := range w.badRequests(t, method, path, o, by) {
						before := w.written()
						w.refused(t, method, b, by)
						if after := w.written(); after != before {
							t.Errorf("%s: something was written: %s, was %s", b.name, after, before)
						}
						tried++
					}
				})
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d hostile requests were tried: they were to be made from the document", tried)
	}
	if strings.Contains(w.log.String(), "panic") {
		t.Error("something panicked")
	}
}

// refused sends and demands a refusal in the API's own shape.
func (w *world) refused(t *testing.T, method string, b bad, by who) {
	t.Helper()
	status, header, body := w.sendRaw(t, method, b, by)
	if status < 400 || status > 499 {
		t.Errorf("%s: %s %.120s answers %d: %.200s", b.name, method, b.path, status, body)
		return
	}
	var e api.Envelope
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Code == "" || e.Error.Message == "" || e.Error.RequestID == "" {
		t.Errorf("%s: %d has not the API's shape: %v %.200s", b.name, status, err, body)
	}
	if kind := header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("%s: refused with %q", b.name, kind)
	}
	if status == http.StatusUnprocessableEntity && len(e.Error.Faults) == 0 {
		t.Errorf("%s: 422 names no field", b.name)
	}
}

// sendRaw reads the answer even when the panel stops reading the request.
func (w *world) sendRaw(t *testing.T, method string, b bad, by who) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://panel/", strings.NewReader(b.body))
	must(t, err)
	path, query, _ := strings.Cut(b.path, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query
	w.dress(req, by, ask{json: "{}", header: b.header})
	if b.body == "" {
		req.Header.Del("Content-Type")
	}
	socket := w.options.Sockets.Edge
	if by.local {
		socket = w.options.Sockets.Local
	}
	conn, err := net.DialTimeout("unix", socket, 10*time.Second)
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_ = req.Write(conn) // an early answer makes this fail
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Errorf("%s: no answer: %v", b.name, err)
		return 0, nil, ""
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, res.Header, string(body)
}

// written counts everything that a request can leave behind.
func (w *world) written() string {
	ops, err := w.records.Operations(w.t.Context(), operations.Filter{Limit: 1 << 20})
	must(w.t, err)
	states := map[operations.State]int{}
	for _, op := range ops {
		if op.Cancel {
			states["cancelled"]++
		}
		states[op.State]++
	}
	sites, err := w.records.LiveSites(w.t.Context())
	must(w.t, err)
	associations, err := w.records.Associations(w.t.Context())
	must(w.t, err)
	live := 0
	for _, maker := range []auth.Owner{{Kind: tenants.KindPerson, ID: "lea"}, {Kind: tenants.KindPerson, ID: "eve"}, {Kind: tenants.KindLocal}} {
		made, err := w.store.Tokens(w.t.Context(), maker)
		must(w.t, err)
		live += len(made)
	}
	return fmt.Sprintf("%d operations %v, %d sites, %d associations, %d tokens, %d entries of the trail", len(ops), states, len(sites),
		len(associations), live, len(w.records.Trail)+len(w.store.Audited()))
}

// What belongs to others is as if it were not there, whatever is asked of it, and no word of it comes back.
func TestOtherTenantsThingsAreNeitherShownNorTouched(t *testing.T) {
	w := newWorld(t)
	doc := w.document()
	w.towns()
	manager := w.signIn(lea)
	secret := w.site(foreign, tenants.StateReady)
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !strings.Contains(path, "{") && path != "/sites" && path != "/operations" && path != "/findings" {
				continue
			}
			for name, by := range map[string]who{"manager": manager, "token": {bearer: w.newToken(manager, "write")}} {
				a := w.filled(w.aimed(method, api.Prefix+braced.ReplaceAllString(path, ":$1"), foreign, foreign, by, 2), foreign, foreign)
				before := w.written()
				r := w.do(by, a)
				if r.status != http.StatusNotFound && (r.status != http.StatusForbidden || !strings.Contains(path, "/tokens")) {
					t.Errorf("%s %s as %s answers %d", method, path, name, r.status)
				}
				for _, word := range []string{"Roses", "roses", secret.ID, secret.Host} {
					if strings.Contains(r.body, word) {
						t.Errorf("%s %s as %s tells %q: %s", method, path, name, word, r.body)
					}
				}
				if after := w.written(); after != before {
					t.Errorf("%s %s as %s wrote: %s, was %s", method, path, name, after, before)
				}
			}
		}
	}
}
