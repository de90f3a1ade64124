// Package openapi draws the OpenAPI 3.1 document of a JSON API from the Go types that travel over it and one line of
// words per endpoint, so that it cannot say anything else than the code does.
//
// It must not know the panel: what there is to describe is handed in. Start reading at Draw.
package openapi

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// ErrShape is a type or a description that cannot be drawn.
var ErrShape = errors.New("cannot be described")

// Endpoint is one address of the API, in words and types.
type Endpoint struct {
	Method string
	Path   string // with {name} for what varies
	Says   string // one sentence
	Public bool   // no proof of who asks is needed
	Query  []Parameter
	Takes  any // a value of the body's type; nil: no body
	// Answers is a value of the answer's type; nil: none. Stream: a stream of events, each with one of these.
	Answers any
	Status  int // of success; 0 is 200
	Stream  bool
	Key     string // a header that makes a wish sent twice one; "" for none
}

// Parameter is one value in the address, behind the question mark.
type Parameter struct {
	Name   string
	Says   string
	Schema Schema
}

// Failure is one way an endpoint may refuse.
type Failure struct {
	Status int
	Says   string
}

// API is everything a document says beside its endpoints.
type API struct {
	Title   string
	Says    string
	Version string
	Prefix  string // of all endpoints' paths; stands in the document's server address
	Error   any    // a value of the type that every failure answers with
	// Failures tells what an endpoint may refuse with, beside its success.
	Failures func(Endpoint) []Failure
	Cookie   string // the session's
	Patterns map[string]Schema
}

// Draw returns the document, ready to be encoded. The same input gives the same bytes.
func Draw(a API, endpoints []Endpoint) (*Document, error) {
	s := &shapes{named: map[string]*Schema{}, types: map[string]reflect.Type{}}
	failed, err := s.of(reflect.TypeOf(a.Error))
	if err != nil {
		return nil, err
	}
	d := &Document{
		OpenAPI: "3.1.0", Info: Info{Title: a.Title, Description: a.Says, Version: a.Version, License: License{Name: "AGPL-3.0-or-later", Identifier: "AGPL-3.0-or-later"}},
		Servers: []Server{{URL: a.Prefix}}, Security: []map[string][]string{{"token": {}}, {"session": {}}},
		Paths: map[string]map[string]*Operation{},
	}
	for _, e := range endpoints {
		o, err := s.operation(a, e, failed)
		if err != nil {
			return nil, fmt.Errorf("describing %s %s: %w", e.Method, e.Path, err)
		}
		if d.Paths[e.Path] == nil {
			d.Paths[e.Path] = map[string]*Operation{}
		}
		d.Paths[e.Path][strings.ToLower(e.Method)] = o
	}
	d.Components = Components{Schemas: s.named, SecuritySchemes: map[string]SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token, made on the page of one's account."},
		"session": {Type: "apiKey", In: "cookie", Name: a.Cookie, Description: "A browser's session; changes need the form's token too."},
	}}
	return d, nil
}

func (s *shapes) operation(a API, e Endpoint, failed *Schema) (*Operation, error) {
	if e.Says == "" {
		return nil, fmt.Errorf("nothing is said: %w", ErrShape)
	}
	o := &Operation{OperationID: operationID(e), Summary: e.Says, Responses: map[string]Response{}}
	if e.Public {
		o.Security = &[]map[string][]string{}
	}
	o.Parameters = parameters(a, e)
	if e.Takes != nil {
		body, err := s.of(reflect.TypeOf(e.Takes))
		if err != nil {
			return nil, err
		}
		o.RequestBody = &RequestBody{Required: true, Content: content("application/json", body)}
	}
	success, err := s.success(e)
	if err != nil {
		return nil, err
	}
	o.Responses[strconv.Itoa(e.success())] = success
	for _, f := range a.Failures(e) {
		o.Responses[strconv.Itoa(f.Status)] = Response{Description: f.Says, Content: content("application/json", failed)}
	}
	return o, nil
}

func (e Endpoint) success() int {
	if e.Status == 0 {
		return 200
	}
	return e.Status
}

func (s *shapes) success(e Endpoint) (Response, error) {
	r := Response{Description: "Done."}
	if e.Answers == nil {
		return r, nil
	}
	body, err := s.of(reflect.TypeOf(e.Answers))
	if e.Stream {
		r.Description = "A stream of events; the data of each one named progress is the schema's JSON."
		r.Content = content("text/event-stream", &Schema{Type: "string", Description: "Data: " + body.Ref})
		return r, err
	}
	r.Content = content("application/json", body)
	return r, err
}

func parameters(a API, e Endpoint) []Param {
	var out []Param
	for part := range strings.SplitSeq(e.Path, "/") {
		name, ok := strings.CutPrefix(part, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		out = append(out, Param{Name: name, In: "path", Required: true, Schema: a.Patterns[name]})
	}
	for _, q := range e.Query {
		out = append(out, Param{Name: q.Name, In: "query", Description: q.Says, Schema: q.Schema})
	}
	if e.Key != "" {
		out = append(out, Param{Name: e.Key, In: "header", Description: "A wish sent twice with the same key is one wish.", Schema: a.Patterns[e.Key]})
	}
	return out
}

func content(kind string, s *Schema) map[string]Media { return map[string]Media{kind: {Schema: s}} }

// operationID is a name for generated clients: "sites.suspend.post".
func operationID(e Endpoint) string {
	parts := slices.DeleteFunc(strings.FieldsFunc(e.Path, func(r rune) bool { return r == '/' }), func(p string) bool { return p == "" })
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "one"
		}
	}
	return strings.ReplaceAll(strings.Join(append(parts, strings.ToLower(e.Method)), "_"), ".", "_")
}
