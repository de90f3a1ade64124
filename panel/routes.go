package panel

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/assets"
	"chatiere/panel/auth"
	"chatiere/panel/middleware"
)

// door is which socket a request came in by.
type door int

const (
	edge  door = 1 << iota // through the proxy: the world
	local                  // the socket for root on the server
	both  = edge | local
)

// proof is what a route accepts as an answer to "who are you". What they may then do is decided by tenants.Authorize: in
// the use cases for changes, in the handler for everything else.
type proof int

const (
	nobody        proof = iota // does not ask
	cookie                     // a browser's session
	cookieOrToken              // that, or an API token; the local socket needs neither
)

// kind is how a route behaves.
type kind int

const (
	read   kind = iota
	change      // needs the session's form token, a request from our own pages, and rights that can be told now
	undo        // as change, but goes on while the issuer is away: it only takes power away
	post        // a change by somebody without a session: needs a request from our own pages
	signal      // posted by a machine that proves itself in the body
	wait        // may take longer on purpose
	stream      // goes on until what it tells of has ended
)

type route struct {
	method string
	path   string
	handle fiber.Handler
	door   door
	proof  proof
	kind   kind
}

const healthPath = "/health"

// PathBackChannelLogout is where the issuer says that a session there is over.
const PathBackChannelLogout = "/auth/backchannel-logout"

// routes is everything the panel answers.
func (s *Server) routes() []route {
	return append(s.pages(), s.endpoints()...)
}

func (s *Server) pages() []route {
	return []route{
		{"GET", healthPath, s.health, both, nobody, read},
		{"GET", assets.Prefix + ":name", s.asset, edge, nobody, read},
		{"GET", "/accessibility", s.accessibility, edge, cookie, read},

		{"GET", "/sign-in", s.signInPage, edge, cookie, read},
		{"GET", "/auth/login", s.login, edge, nobody, read},
		{"GET", "/auth/step-up", s.stepUp, edge, nobody, read},
		{"GET", auth.CallbackPath, s.callback, edge, nobody, read},
		{"POST", "/auth/logout", s.logout, edge, cookie, undo},
		{"POST", PathBackChannelLogout, s.backchannelLogout, edge, nobody, signal},
		{"GET", "/break-glass", s.breakGlassPage, edge, nobody, read},
		{"POST", "/break-glass", s.breakGlassEnter, edge, nobody, post},

		{"GET", "/", s.home, edge, cookie, read},
		{"GET", "/account", s.account, edge, cookie, read},
		{"POST", "/account/sessions/end", s.sessionsEnd, edge, cookie, undo},
		{"POST", "/account/sessions/:id/end", s.sessionEnd, edge, cookie, undo},
		{"GET", "/people/:subject", s.person, edge, cookie, read},
		{"POST", "/people/:subject/sign-out", s.personSignOut, edge, cookie, change},
		{"POST", "/account/tokens", s.tokenCreate, edge, cookie, change},
		{"GET", "/account/tokens/:id/revoke", s.tokenRevokeConfirm, edge, cookie, read},
		{"POST", "/account/tokens/:id/revoke", s.tokenRevoke, edge, cookie, undo},

		{"GET", "/associations", s.associations, edge, cookie, read},
		{"GET", "/associations/new", s.associationNew, edge, cookie, read},
		{"POST", "/associations", s.associationCreate, edge, cookie, change},
		{"GET", "/associations/:slug", s.association, edge, cookie, read},
		{"GET", "/associations/:slug/journal", s.associationJournal, edge, cookie, read},
		{"GET", "/journal", s.journal, edge, cookie, read},

		{"GET", "/sites", s.sites, edge, cookie, read},
		{"GET", "/sites/new", s.siteNew, edge, cookie, read},
		{"POST", "/sites", s.siteCreate, edge, cookie, change},
		{"GET", "/sites/:id", s.site, edge, cookie, read},
		{"POST", "/sites/:id/enter", s.siteEnter, edge, cookie, change},
		{"GET", "/sites/:id/suspend", s.siteSuspendConfirm, edge, cookie, read},
		{"POST", "/sites/:id/suspend", s.siteSuspend, edge, cookie, change},
		{"POST", "/sites/:id/resume", s.siteResume, edge, cookie, change},
		{"GET", "/sites/:id/update", s.siteUpdateConfirm, edge, cookie, read},
		{"POST", "/sites/:id/update", s.siteUpdate, edge, cookie, change},
		{"GET", "/sites/:id/delete", s.siteDeleteConfirm, edge, cookie, read},
		{"POST", "/sites/:id/delete", s.siteDelete, edge, cookie, change},
		{"POST", "/sites/:id/restore", s.siteRestore, edge, cookie, change},
		{"GET", "/sites/:id/purge", s.sitePurgeConfirm, edge, cookie, read},
		{"POST", "/sites/:id/purge", s.sitePurge, edge, cookie, change},
		{"GET", "/sites/:id/egress", s.siteEgress, edge, cookie, read},
		{"GET", "/sites/:id/egress/ask", s.accessNew, edge, cookie, read},
		{"POST", "/sites/:id/egress/ask", s.accessAsk, edge, cookie, change},
		{"POST", "/sites/:id/egress/:access/grant", s.accessGrant, edge, cookie, change},
		{"POST", "/sites/:id/egress/:access/refuse", s.accessRefuse, edge, cookie, change},
		{"POST", "/sites/:id/egress/:access/revoke", s.accessRevoke, edge, cookie, change},
		{"GET", "/bin", s.bin, edge, cookie, read},
		{"GET", "/platform", s.platform, edge, cookie, read},

		{"GET", "/operations/:id", s.operation, edge, cookie, read},
		{"GET", "/operations/:id/events", s.operationEvents, edge, cookie, stream},
		{"POST", "/operations/:id/cancel", s.operationCancel, edge, cookie, change},
		{"POST", "/operations/:id/retry", s.operationRetry, edge, cookie, change},
	}
}

func (s *Server) endpoints() []route {
	const p = api.Prefix
	return []route{
		{"GET", p + api.PathDocument, s.apiDocument, both, nobody, read},
		{"GET", p + "/account", s.apiAccount, both, cookieOrToken, read},
		{"GET", p + "/templates", s.apiTemplates, both, cookieOrToken, read},
		{"GET", p + "/doctor", s.apiDoctor, both, cookieOrToken, wait},

		{"GET", p + "/findings", s.apiFindings, both, cookieOrToken, read},

		{"GET", p + "/associations", s.apiAssociations, both, cookieOrToken, read},
		{"POST", p + "/associations", s.apiAssociationCreate, both, cookieOrToken, change},
		{"GET", p + "/associations/:slug", s.apiAssociation, both, cookieOrToken, read},

		{"GET", p + "/sites", s.apiSites, both, cookieOrToken, read},
		{"POST", p + "/sites", s.apiSiteCreate, both, cookieOrToken, change},
		{"GET", p + "/sites/:id", s.apiSite, both, cookieOrToken, read},
		{"POST", p + "/sites/:id/suspend", s.apiSiteSuspend, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/resume", s.apiSiteResume, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/update", s.apiSiteUpdate, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/delete", s.apiSiteDelete, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/restore", s.apiSiteRestore, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/purge", s.apiSitePurge, both, cookieOrToken, change},

		{"GET", p + "/egress/access", s.apiAccessList, both, cookieOrToken, read},
		{"GET", p + "/sites/:id/egress", s.apiEgress, both, cookieOrToken, read},
		{"GET", p + "/sites/:id/egress/tries", s.apiTries, both, cookieOrToken, read},
		{"GET", p + "/sites/:id/mail", s.apiMail, both, cookieOrToken, read},
		{"POST", p + "/sites/:id/egress/access", s.apiAccessAsk, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/egress/access/:access/grant", s.apiAccessGrant, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/egress/access/:access/refuse", s.apiAccessRefuse, both, cookieOrToken, change},
		{"POST", p + "/sites/:id/egress/access/:access/revoke", s.apiAccessRevoke, both, cookieOrToken, change},

		{"GET", p + "/operations", s.apiOperations, both, cookieOrToken, read},
		{"GET", p + "/operations/:id", s.apiOperation, both, cookieOrToken, wait},
		{"GET", p + "/operations/:id/events", s.apiOperationEvents, both, cookieOrToken, stream},
		{"POST", p + "/operations/:id/cancel", s.apiOperationCancel, both, cookieOrToken, change},
		{"POST", p + "/operations/:id/retry", s.apiOperationRetry, both, cookieOrToken, change},

		{"GET", p + "/audit", s.apiAudit, both, cookieOrToken, read},

		{"GET", p + "/tokens", s.apiTokens, both, cookieOrToken, read},
		{"POST", p + "/tokens", s.apiTokenCreate, both, cookieOrToken, change},
		{"DELETE", p + "/tokens/:id", s.apiTokenRevoke, both, cookieOrToken, undo},

		// Root on the server alone: there is nothing to authorise that the socket's mode has not.
		{"POST", p + "/break-glass", s.apiBreakGlass, local, cookieOrToken, change},
	}
}

// mount puts a route behind what its columns say.
func (s *Server) mount(app *fiber.App, d door, r route) {
	if r.door&d == 0 {
		return
	}
	handlers := []fiber.Handler{middleware.Deadline(s.ends, r.limit()), s.enter(d, r), s.readable(r), r.handle}
	app.Add(r.method, r.path, handlers...)
	if r.method == fiber.MethodGet && r.kind != stream {
		app.Add(fiber.MethodHead, r.path, handlers...)
	}
}

func (r route) limit() time.Duration {
	if r.kind == wait {
		return patientLimit
	}
	return handlerLimit
}

// enter recognises the visitor and refuses changes that did not come from their own hand.
func (s *Server) enter(d door, r route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		v, err := s.recognize(c.UserContext(), c, d, r.proof)
		c.Locals(visitorKey, v)
		if err != nil {
			return err
		}
		if err := s.checkForgery(c, d, r, v); err != nil {
			return err
		}
		if r.kind == change && v.Stale {
			return errStaleRights
		}
		return c.Next()
	}
}

// checkForgery lets through what no other site's page can make a browser send. Tokens and the local socket are not sent
// by browsers on their own.
func (s *Server) checkForgery(c *fiber.Ctx, d door, r route, v visitor) error {
	changes := r.kind == change || r.kind == undo || r.kind == post
	if !changes || d == local || v.Principal.Kind == tokenKind {
		return nil
	}
	if v.Session == nil && isAPI(c) {
		return nil // nobody: authorisation says so
	}
	if !middleware.SameOrigin(c, s.origin) {
		return errStaleForm
	}
	if v.Session != nil && !v.Session.ValidCSRF(formToken(c)) {
		return errStaleForm
	}
	return nil
}

func formToken(c *fiber.Ctx) string {
	if h := c.Get(api.HeaderCSRF); h != "" {
		return h
	}
	return field(c, "csrf")
}

// Route is one address the panel answers.
type Route struct {
	Method string
	Path   string
	Edge   bool // through the proxy
	Local  bool // by the socket on the server
}

// Routes lists everything that is mounted, from the framework's own tables: tests that walk all of it start here.
func (s *Server) Routes() []Route {
	found := map[Route]bool{}
	for _, d := range []door{edge, local} {
		for _, r := range s.app(d).GetRoutes(true) {
			if r.Method != fiber.MethodHead {
				found[Route{Method: r.Method, Path: r.Path, Edge: d == edge, Local: d == local}] = true
			}
		}
	}
	var out []Route
	for r := range found {
		if twin := (Route{r.Method, r.Path, !r.Edge, !r.Local}); found[twin] {
			r = Route{r.Method, r.Path, true, true}
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}
