package openapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"chatiere/panel/openapi"
)

type inner struct {
	At time.Time `json:"at"`
}

type thing struct {
	inner
	Name  string         `json:"name" bound:"min=1,max=80"`
	Kind  string         `json:"kind,omitempty" bound:"one=a|b"`
	Days  *int           `json:"days,omitempty" bound:"min=1,max=366"`
	Notes map[string]int `json:"notes"`
	More  []thing        `json:"more,omitempty"`
}

type refusal struct {
	Code string `json:"code"`
}

func draw(takes any) (*openapi.Document, error) {
	return openapi.Draw(openapi.API{Title: "t", Version: "1", Prefix: "/p", Error: refusal{}, Failures: func(openapi.Endpoint) []openapi.Failure {
		return []openapi.Failure{{Status: 404, Says: "Nothing there."}}
	}}, []openapi.Endpoint{{Method: "POST", Path: "/things/{id}", Says: "Makes one.", Takes: takes}})
}

func TestTypesBecomeSchemasWithTheirBounds(t *testing.T) {
	d, err := draw(thing{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(d.Components.Schemas["thing"])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"object","properties":{` +
		`"at":{"type":"string","format":"date-time"},` +
		`"days":{"type":"integer","minimum":1,"maximum":366},` +
		`"kind":{"type":"string","enum":["a","b"]},` +
		`"more":{"type":"array","items":{"$ref":"#/components/schemas/thing"}},` +
		`"name":{"type":"string","minLength":1,"maxLength":80},` +
		`"notes":{"type":"object","additionalProperties":{"type":"integer"}}},` +
		`"required":["at","name","notes"],"additionalProperties":false}`
	if string(got) != want {
		t.Errorf("drawn\n%s\nwant\n%s", got, want)
	}
	o := d.Paths["/things/{id}"]["post"]
	if o == nil || o.RequestBody == nil || o.Responses["404"].Content["application/json"].Schema.Ref != "#/components/schemas/refusal" ||
		len(o.Parameters) != 1 || o.Parameters[0].Name != "id" {
		t.Errorf("the operation is %+v", o)
	}
}

func TestTheSameTypesGiveTheSameBytes(t *testing.T) {
	var first []byte
	for range 5 {
		d, err := draw(thing{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, b) {
			t.Fatal("two drawings differ")
		}
		first = b
	}
}

func TestWhatCannotBeDescribedIsRefused(t *testing.T) {
	for name, takes := range map[string]any{
		"a channel": make(chan int),
		"no name":   struct{ Name string }{},
		"an unknown bound": struct {
			Name string `json:"name" bound:"most=3"`
		}{},
		"a bound on a list": struct {
			Names []string `json:"names" bound:"max=3"`
		}{},
	} {
		if _, err := draw(takes); !errors.Is(err, openapi.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openapi.Draw(openapi.API{Error: refusal{}}, []openapi.Endpoint{{Method: "GET", Path: "/x"}}); !errors.Is(err, openapi.ErrShape) {
		t.Errorf("an endpoint of which nothing is said: %v", err)
	}
}

func TestAnEndpointIsDescribedWithItsAnswersAndItsProof(t *testing.T) {
	draw := func(e openapi.Endpoint) *openapi.Operation {
		t.Helper()
		e.Method, e.Path, e.Says = "GET", "/things/{id}/now", "Tells it."
		api := openapi.API{Error: refusal{}, Failures: func(openapi.Endpoint) []openapi.Failure { return nil }}
		d, err := openapi.Draw(api, []openapi.Endpoint{e})
		if err != nil {
			t.Fatal(err)
		}
		return d.Paths[e.Path]["get"]
	}
	o := draw(openapi.Endpoint{Answers: thing{}, Query: []openapi.Parameter{{Name: "wait", Says: "How long."}}, Key: "Once"})
	if r := o.Responses["200"]; len(o.Responses) != 1 || r.Content["application/json"].Schema.Ref != "#/components/schemas/thing" || o.Security != nil || o.RequestBody != nil {
		t.Errorf("a usual one is %+v", o)
	}
	for i, want := range [][2]string{{"id", "path"}, {"wait", "query"}, {"Once", "header"}} {
		if p := o.Parameters[i]; p.Name != want[0] || p.In != want[1] || p.Required != (want[1] == "path") {
			t.Errorf("parameter %d is %+v, want %v", i, p, want)
		}
	}
	o = draw(openapi.Endpoint{Status: 204, Public: true})
	if r, ok := o.Responses["204"]; !ok || len(o.Responses) != 1 || r.Content != nil || o.Security == nil || len(*o.Security) != 0 {
		t.Errorf("one without an answer, for everybody, is %+v", o)
	}
	o = draw(openapi.Endpoint{Answers: thing{}, Stream: true})
	if c := o.Responses["200"].Content; len(c) != 1 || c["text/event-stream"].Schema.Type != "string" {
		t.Errorf("a stream is %+v", c)
	}
	if o.OperationID != "things_one_now_get" {
		t.Errorf("it is called %s", o.OperationID)
	}
}
