package panel_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"chatiere/panel/api"
	"chatiere/tenants"
)

// document reads what the panel says of its own API, and refuses what OpenAPI 3.1 does not allow.
func (w *world) document() *openapi3.T {
	w.t.Helper()
	r := w.do(who{}, ask{path: api.Prefix + api.PathDocument})
	if r.status != http.StatusOK {
		w.t.Fatalf("the document answers %d: %s", r.status, r.body)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(r.body))
	must(w.t, err)
	must(w.t, doc.Validate(w.t.Context(), openapi3.EnableSchemaFormatValidation()))
	return doc
}

var braced = regexp.MustCompile(`\{([a-z]+)\}`)

func TestTheDocumentDescribesEveryRouteOfTheAPIAndNoOther(t *testing.T) {
	w := newWorld(t)
	doc := w.document()
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Servers) != 1 || doc.Servers[0].URL != api.Prefix {
		t.Errorf("the document is of version %q, for %v", doc.OpenAPI, doc.Servers)
	}
	said := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			said[method+" "+api.Prefix+braced.ReplaceAllString(path, ":$1")] = true
			if strings.Contains(path, "{") && len(o.Parameters) == 0 {
				t.Errorf("%s %s does not tell its parameters", method, path)
			}
		}
	}
	mounted := 0
	for _, r := range w.server.Routes() {
		if !strings.HasPrefix(r.Path, api.Prefix) {
			continue
		}
		mounted++
		if !said[r.Method+" "+r.Path] {
			t.Errorf("%s %s is not described: give it a line in panel/contract/endpoints.go", r.Method, r.Path)
		}
	}
	if mounted != len(said) || mounted < 20 {
		t.Errorf("%d routes are mounted and %d described", mounted, len(said))
	}
}

// Every answer of a route that goes well has the fields its description tells, and no other.
func TestAnswersAreWhatTheDocumentSays(t *testing.T) {
	w := newWorld(t)
	doc := w.document()
	w.towns()
	people := w.everybody()
	w.operation(own, "queued")
	w.site(own, tenants.StateBinned)
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			t.Run(method+" "+path, func(t *testing.T) {
				route := method + " " + api.Prefix + braced.ReplaceAllString(path, ":$1")
				for _, by := range []who{people[0], people[2], people[9]} {
					w.matches(t, o, w.answer(route, by))
				}
			})
		}
	}
}

// answer asks rightly, as the table of routes does.
func (w *world) answer(route string, by who) *http.Response {
	method, path, _ := strings.Cut(route, " ")
	a := w.aimed(method, path, own, own, by, 0)
	return w.open(by, w.filled(a, own, own))
}

// matches holds an answer against the description of its status.
func (w *world) matches(t *testing.T, o *openapi3.Operation, res *http.Response) {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	described := o.Responses.Status(res.StatusCode)
	if described == nil {
		t.Errorf("answers %d, which is not described", res.StatusCode)
		return
	}
	media := described.Value.Content.Get(res.Header.Get("Content-Type"))
	if len(described.Value.Content) == 0 || media == nil || strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		if len(described.Value.Content) != 0 && media == nil {
			t.Errorf("answers with %q, which is not described", res.Header.Get("Content-Type"))
		}
		return
	}
	var v any
	must(t, json.NewDecoder(res.Body).Decode(&v))
	if err := media.Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
		t.Errorf("answers %d with %v, which is not what is described: %v", res.StatusCode, v, err)
	}
}
