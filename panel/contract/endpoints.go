// Package contract is what the API promises to programs: a line for each endpoint with its summary, its parameters and the types
// of request and response. The OpenAPI document is built from these lines, and requests are checked against them.
//
// It knows no handler. Start reading at endpoints.
package contract

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"chatiere/panel/api"
	"chatiere/panel/openapi"
)

// Endpoint documents one route of the API: a summary, its parameters, and the types of request and response.
type Endpoint struct {
	summary  string
	query    []openapi.Parameter // no other parameters are accepted
	request  any                 // nil: no body
	response any
	status   int  // of success; 0 is 200
	public   bool // no authentication
}

func stringParam(name, says string, max int, one ...string) openapi.Parameter {
	return openapi.Parameter{Name: name, Says: says, Schema: openapi.Schema{Type: "string", MaxLength: &max, Enum: one}}
}

func intParam(name, says string, min, max int) openapi.Parameter {
	return openapi.Parameter{Name: name, Says: says, Schema: openapi.Schema{Type: "integer", Minimum: &min, Maximum: &max}}
}

func boolParam(name, says string) openapi.Parameter {
	return openapi.Parameter{Name: name, Says: says, Schema: openapi.Schema{Type: "boolean"}}
}

var ofAssociation = stringParam("association", "Slug of the association to narrow the list to.", 80)

// endpoints has one line for each route of the API; without it, the route's test fails.
var endpoints = map[string]Endpoint{
	"GET /openapi.json": {summary: "This document.", response: map[string]any{}, public: true},
	"GET /account":      {summary: "Who asks, as the panel sees them.", response: api.Account{}},
	"GET /templates":    {summary: "What a new site can be made of.", response: api.List[api.Template]{}},
	"GET /doctor":       {summary: "What the panel finds when it looks the platform over.", response: api.Diagnosis{}},

	"GET /findings": {summary: "What the platform noticed and could not mend.", response: api.List[api.Finding]{}, query: []openapi.Parameter{
		stringParam("area", "One area alone.", 16, "platform", "site", "egress", "mail", "disk", "records", "audit"),
		stringParam("site", "What is about one site alone.", 10), stringParam("ended", "Also what is over.", 1, "1"),
	}},

	"GET /associations":       {summary: "All associations.", response: api.List[api.Association]{}},
	"POST /associations":      {summary: "Asks for an association.", request: api.NewAssociation{}, response: api.Operation{}, status: 202},
	"GET /associations/:slug": {summary: "One association.", response: api.Association{}},

	"GET /sites": {summary: "Sites, the bin's too.", response: api.List[api.Site]{}, query: []openapi.Parameter{
		ofAssociation, stringParam("state", "Sites in one state alone.", 16, "creating", "ready", "suspended", "binned"),
		stringParam("q", "A part of the name or the address.", 120),
	}},
	"POST /sites":             {summary: "Asks for a site.", request: api.NewSite{}, response: api.Operation{}, status: 202},
	"GET /sites/:id":          {summary: "One site.", response: api.Site{}},
	"POST /sites/:id/suspend": {summary: "Asks for a site to be closed to visitors.", response: api.Operation{}, status: 202},
	"POST /sites/:id/resume":  {summary: "Asks for a suspended site to be opened again.", response: api.Operation{}, status: 202},
	"POST /sites/:id/update": {summary: "Asks for a site to be made anew from its template as it is now, in another mode if one is given.", response: api.Operation{}, status: 202, query: []openapi.Parameter{
		stringParam("mode", "One of the template's modes; the one that the site has, where it is not given.", 16, "autonome", "mutualise"),
	}},
	"POST /sites/:id/delete":  {summary: "Asks for a site to be put into the bin.", response: api.Operation{}, status: 202},
	"POST /sites/:id/restore": {summary: "Asks for a site to be brought back from the bin.", response: api.Operation{}, status: 202},
	"GET /sites/:id/backups":  {summary: "The snapshots of a site's data, the latest first.", response: api.List[api.Snapshot]{}},
	"POST /sites/:id/backups": {summary: "Asks for a site's data to be saved now.", response: api.Operation{}, status: 202},
	"POST /sites/:id/backups/:snapshot/restore": {
		summary: "Asks for the state of a snapshot to be brought back. The present one is saved first.", response: api.Operation{}, status: 202,
	},
	"POST /sites/:id/purge": {summary: "Asks for a binned site to be destroyed for good.", response: api.Operation{}, status: 202},

	"GET /egress/access":                           {summary: "What waits for a decision, on all sites.", response: api.List[api.Access]{}},
	"GET /sites/:id/egress":                        {summary: "What a site may reach, and what was asked for.", response: api.Egress{}},
	"POST /sites/:id/egress/access":                {summary: "Asks that a site may reach a name.", request: api.NewAccess{}, response: api.Access{}, status: 201},
	"POST /sites/:id/egress/access/:access/grant":  {summary: "Opens to a site what was asked for.", request: api.Verdict{}, response: api.Access{}},
	"POST /sites/:id/egress/access/:access/refuse": {summary: "Refuses what was asked for.", request: api.Verdict{}, response: api.Access{}},
	"POST /sites/:id/egress/access/:access/revoke": {summary: "Closes to a site what was granted.", request: api.Verdict{}, response: api.Access{}},
	"GET /sites/:id/egress/tries": {summary: "What a site tried to reach, the last first.", response: api.List[api.Try]{}, query: []openapi.Parameter{
		intParam("days", "How many days back; 7 unless told.", 1, 30),
	}},
	"GET /sites/:id/mail": {summary: "What became of a site's mail, the last first.", response: api.SiteMail{}, query: []openapi.Parameter{
		intParam("limit", "How many mails at most; 100 unless told.", 1, 1000),
	}},

	"GET /operations": {summary: "Operations, newest first.", response: api.List[api.Operation]{}, query: []openapi.Parameter{
		ofAssociation, stringParam("site", "Operations of one site alone.", 10), boolParam("live", "Those that have not ended alone."),
		intParam("limit", "How many at most; 0 leaves it to the panel.", 0, 1000),
	}},
	"GET /operations/:id": {summary: "One operation, at once or when it has ended.", response: api.Operation{}, query: []openapi.Parameter{
		stringParam("wait", "How long to wait for the end, such as 30s; at most 50 seconds count.", 16),
	}},
	"GET /operations/:id/events":  {summary: "An operation's progress as it happens.", response: api.Operation{}},
	"POST /operations/:id/cancel": {summary: "Asks for an operation to be undone.", status: http.StatusNoContent},
	"POST /operations/:id/retry":  {summary: "Sets an operation going again that needed a person.", status: http.StatusNoContent},

	"GET /audit": {summary: "The audit trail, newest first.", response: api.AuditPage{}, query: []openapi.Parameter{
		ofAssociation, stringParam("person", "What one name did alone.", 255), stringParam("act", "One act alone.", 64),
		stringParam("from", "From this day on (2026-11-22).", 10), stringParam("to", "Up to this day, that one included.", 10),
		stringParam("before", "What is older: the next of the page before.", 64), intParam("limit", "How many at most.", 1, 1000),
	}},

	"GET /tokens":        {summary: "One's own API tokens, without their secrets.", response: api.List[api.Token]{}},
	"POST /tokens":       {summary: "Makes an API token; its secret is shown this once.", request: api.NewToken{}, response: api.CreatedToken{}, status: 201},
	"DELETE /tokens/:id": {summary: "Revokes an API token.", status: http.StatusNoContent},

	"POST /break-glass": {summary: "Makes a one-time way in. On the server's own socket alone.", response: api.BreakGlassLink{}, status: 201},
}

// Find returns the endpoint of a route; false for one that is not of the API or has no line.
func Find(method, path string) (Endpoint, bool) {
	path, ok := strings.CutPrefix(path, api.Prefix)
	if !ok {
		return Endpoint{}, false
	}
	e, ok := endpoints[method+" "+path]
	return e, ok
}

// HasBody reports whether the endpoint's requests have a body.
func (e Endpoint) HasBody() bool { return e.request != nil }

// maxKey bounds an idempotency key, which shares a column with the sender's id.
const (
	maxKey  = 64
	maxSlug = 80
	maxID   = 64
)

var patterns = map[string]openapi.Schema{
	"id":                  {Type: "string", Pattern: fmt.Sprintf("^[A-Za-z0-9_-]{1,%d}$", maxID)},
	"access":              {Type: "string", Pattern: fmt.Sprintf("^[A-Za-z0-9_-]{1,%d}$", maxID)},
	"slug":                {Type: "string", Pattern: fmt.Sprintf("^[A-Za-z0-9_-]{1,%d}$", maxSlug)},
	api.HeaderIdempotency: {Type: "string", Pattern: fmt.Sprintf("^[!-~]{1,%d}$", maxKey)},
}

// Route is one route of the API.
type Route struct {
	Method, Path string
	Stream       bool // answers with events
}

// Document builds the OpenAPI document. cookie is the one of sessions.
func Document(cookie string, routes []Route) (*openapi.Document, error) {
	var all []openapi.Endpoint
	for _, r := range routes {
		e, ok := Find(r.Method, r.Path)
		if !ok {
			return nil, fmt.Errorf("%s %s has no line in panel/contract/endpoints.go: %w", r.Method, r.Path, openapi.ErrShape)
		}
		all = append(all, openapi.Endpoint{
			Method: r.Method, Path: openAPIPath(strings.TrimPrefix(r.Path, api.Prefix)), Says: e.summary, Public: e.public, Query: e.query,
			Takes: e.request, Answers: e.response, Status: e.status, Stream: r.Stream, Key: e.key(),
		})
	}
	return openapi.Draw(openapi.API{
		Title: "Chatière", Version: "1", Prefix: api.Prefix, Error: api.Envelope{}, Failures: failures, Cookie: cookie, Patterns: patterns,
		Says: "What the panel answers to programs. Every refusal has the same shape: a code to compare, a sentence to read, the fields at fault, and the id under which the co-op finds the cause.",
	}, all)
}

// key is the idempotency header; only requests that become operations support it.
func (e Endpoint) key() string {
	if e.status == http.StatusAccepted {
		return api.HeaderIdempotency
	}
	return ""
}

var variable = regexp.MustCompile(`:([a-z]+)`)

func openAPIPath(path string) string { return variable.ReplaceAllString(path, "{$1}") }

// failures returns the error responses that an endpoint can have.
func failures(e openapi.Endpoint) []openapi.Failure {
	out := []openapi.Failure{{Status: 400, Says: "The request cannot be read."}, {Status: 429, Says: "Too much at once."}}
	add := func(status int, says string) { out = append(out, openapi.Failure{Status: status, Says: says}) }
	if !e.Public {
		add(401, "Nobody is signed in, or the token is not valid.")
		add(403, "It is not the asker's to do, or needs the second factor.")
		add(404, "There is no such thing, or it is not the asker's to see.")
		add(503, "Something this needs does not answer now.")
	}
	if e.Method != http.MethodGet {
		add(409, "The present state does not allow it.")
		add(413, "The request is too large.")
	}
	if e.Method != http.MethodGet || len(e.Query) > 0 {
		add(422, "Some values are not right; each is named.")
	}
	slices.SortFunc(out, func(a, b openapi.Failure) int { return a.Status - b.Status })
	return out
}
