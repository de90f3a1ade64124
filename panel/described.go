package panel

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/openapi"
)

// endpoint is what programs may know of one route of the API: its words, and the types that go in and out.
type endpoint struct {
	says    string
	query   []openapi.Parameter // nothing else may stand behind the question mark
	takes   any                 // nil: no body
	answers any
	status  int  // of success; 0 is 200
	public  bool // anybody may ask
}

func text(name, says string, max int, one ...string) openapi.Parameter {
	return openapi.Parameter{Name: name, Says: says, Schema: openapi.Schema{Type: "string", MaxLength: &max, Enum: one}}
}

func whole(name, says string, min, max int) openapi.Parameter {
	return openapi.Parameter{Name: name, Says: says, Schema: openapi.Schema{Type: "integer", Minimum: &min, Maximum: &max}}
}

func flag(name, says string) openapi.Parameter {
	return openapi.Parameter{Name: name, Says: says, Schema: openapi.Schema{Type: "boolean"}}
}

var ofAssociation = text("association", "Slug of the association to narrow the list to.", 80)

// described has one line for each route of the API; without it, the route's test fails.
var described = map[string]endpoint{
	"GET /openapi.json": {says: "This document.", answers: map[string]any{}, public: true},
	"GET /account":      {says: "Who asks, as the panel sees them.", answers: api.Account{}},
	"GET /templates":    {says: "What a new site can be made of.", answers: api.List[api.Template]{}},
	"GET /doctor":       {says: "What the panel finds when it looks the platform over.", answers: api.Diagnosis{}},

	"GET /findings": {says: "What the platform noticed and could not mend.", answers: api.List[api.Finding]{}, query: []openapi.Parameter{
		text("area", "One area alone.", 16, "platform", "site", "egress", "mail", "disk", "records", "audit"),
		text("site", "What is about one site alone.", 10), text("ended", "Also what is over.", 1, "1"),
	}},

	"GET /associations":       {says: "All associations.", answers: api.List[api.Association]{}},
	"POST /associations":      {says: "Asks for an association.", takes: api.NewAssociation{}, answers: api.Operation{}, status: 202},
	"GET /associations/:slug": {says: "One association.", answers: api.Association{}},

	"GET /sites": {says: "Sites, the bin's too.", answers: api.List[api.Site]{}, query: []openapi.Parameter{
		ofAssociation, text("state", "Sites in one state alone.", 16, "creating", "ready", "suspended", "binned"),
		text("q", "A part of the name or the address.", 120),
	}},
	"POST /sites":             {says: "Asks for a site.", takes: api.NewSite{}, answers: api.Operation{}, status: 202},
	"GET /sites/:id":          {says: "One site.", answers: api.Site{}},
	"POST /sites/:id/suspend": {says: "Asks for a site to be closed to visitors.", answers: api.Operation{}, status: 202},
	"POST /sites/:id/resume":  {says: "Asks for a suspended site to be opened again.", answers: api.Operation{}, status: 202},
	"POST /sites/:id/update":  {says: "Asks for a site to be made anew from its template as it is now.", answers: api.Operation{}, status: 202},
	"POST /sites/:id/delete":  {says: "Asks for a site to be put into the bin.", answers: api.Operation{}, status: 202},
	"POST /sites/:id/restore": {says: "Asks for a site to be brought back from the bin.", answers: api.Operation{}, status: 202},
	"POST /sites/:id/purge":   {says: "Asks for a binned site to be destroyed for good.", answers: api.Operation{}, status: 202},

	"GET /egress/access":                           {says: "What waits for a decision, on all sites.", answers: api.List[api.Access]{}},
	"GET /sites/:id/egress":                        {says: "What a site may reach, and what was asked for.", answers: api.Egress{}},
	"POST /sites/:id/egress/access":                {says: "Asks that a site may reach a name.", takes: api.NewAccess{}, answers: api.Access{}, status: 201},
	"POST /sites/:id/egress/access/:access/grant":  {says: "Opens to a site what was asked for.", takes: api.Verdict{}, answers: api.Access{}},
	"POST /sites/:id/egress/access/:access/refuse": {says: "Refuses what was asked for.", takes: api.Verdict{}, answers: api.Access{}},
	"POST /sites/:id/egress/access/:access/revoke": {says: "Closes to a site what was granted.", takes: api.Verdict{}, answers: api.Access{}},
	"GET /sites/:id/egress/tries": {says: "What a site tried to reach, the last first.", answers: api.List[api.Try]{}, query: []openapi.Parameter{
		whole("days", "How many days back; 7 unless told.", 1, 30),
	}},
	"GET /sites/:id/mail": {says: "What became of a site's mail, the last first.", answers: api.SiteMail{}, query: []openapi.Parameter{
		whole("limit", "How many mails at most; 100 unless told.", 1, 1000),
	}},

	"GET /operations": {says: "Operations, newest first.", answers: api.List[api.Operation]{}, query: []openapi.Parameter{
		ofAssociation, text("site", "Operations of one site alone.", 10), flag("live", "Those that have not ended alone."),
		whole("limit", "How many at most; 0 leaves it to the panel.", 0, 1000),
	}},
	"GET /operations/:id": {says: "One operation, at once or when it has ended.", answers: api.Operation{}, query: []openapi.Parameter{
		text("wait", "How long to wait for the end, such as 30s; at most 50 seconds count.", 16),
	}},
	"GET /operations/:id/events":  {says: "An operation's progress as it happens.", answers: api.Operation{}},
	"POST /operations/:id/cancel": {says: "Asks for an operation to be undone.", status: http.StatusNoContent},
	"POST /operations/:id/retry":  {says: "Sets an operation going again that needed a person.", status: http.StatusNoContent},

	"GET /audit": {says: "The audit trail, newest first.", answers: api.AuditPage{}, query: []openapi.Parameter{
		ofAssociation, text("person", "What one name did alone.", 255), text("act", "One act alone.", 64),
		text("from", "From this day on (2026-11-22).", 10), text("to", "Up to this day, that one included.", 10),
		text("before", "What is older: the next of the page before.", 64), whole("limit", "How many at most.", 1, 1000),
	}},

	"GET /tokens":        {says: "One's own API tokens, without their secrets.", answers: api.List[api.Token]{}},
	"POST /tokens":       {says: "Makes an API token; its secret is shown this once.", takes: api.NewToken{}, answers: api.CreatedToken{}, status: 201},
	"DELETE /tokens/:id": {says: "Revokes an API token.", status: http.StatusNoContent},

	"POST /break-glass": {says: "Makes a one-time way in. On the server's own socket alone.", answers: api.BreakGlassLink{}, status: 201},
}

func (r route) endpoint() (endpoint, bool) {
	path, ok := strings.CutPrefix(r.path, api.Prefix)
	if !ok {
		return endpoint{}, false
	}
	e, ok := described[r.method+" "+path]
	return e, ok
}

// maxKey keeps an idempotency key within its column beside who sent it.
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

// describe draws the document of what this panel answers.
func (s *Server) describe() (*openapi.Document, error) {
	var all []openapi.Endpoint
	for _, r := range s.endpoints() {
		e, ok := r.endpoint()
		if !ok {
			return nil, fmt.Errorf("%s %s has no line in panel/described.go: %w", r.method, r.path, openapi.ErrShape)
		}
		all = append(all, openapi.Endpoint{
			Method: r.method, Path: braces(strings.TrimPrefix(r.path, api.Prefix)), Says: e.says, Public: e.public, Query: e.query,
			Takes: e.takes, Answers: e.answers, Status: e.status, Stream: r.kind == stream, Key: e.key(),
		})
	}
	return openapi.Draw(openapi.API{
		Title: "Chatière", Version: "1", Prefix: api.Prefix, Error: api.Envelope{}, Failures: failures, Cookie: sessionCookie, Patterns: patterns,
		Says: "What the panel answers to programs. Every refusal has the same shape: a code to compare, a sentence to read, the fields at fault, and the id under which the co-op finds the cause.",
	}, all)
}

// key is the header that makes a wish sent twice one; only wishes that become operations can be told by it.
func (e endpoint) key() string {
	if e.status == http.StatusAccepted {
		return api.HeaderIdempotency
	}
	return ""
}

var variable = regexp.MustCompile(`:([a-z]+)`)

func braces(path string) string { return variable.ReplaceAllString(path, "{$1}") }

// failures are told from the table of answers, by what an endpoint could meet.
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

func (s *Server) apiDocument(c *fiber.Ctx) error { return c.JSON(s.document) }
