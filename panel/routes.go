package panel

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/assets"
	"chatiere/panel/contract"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/identity"
)

// listener is the socket on which a request arrives.
type listener int

const (
	edge  listener = 1 << iota // from the proxy: the public
	local                      // the socket for root on the server
	both  = edge | local
)

// authn is the authentication that a route accepts. Authorisation is tenants.Authorize: in the use cases for changes, in
// the handler for everything else.
type authn int

const (
	noAuth         authn = iota // none
	session                     // a browser's session
	sessionOrToken              // that, or an API token; the local socket needs neither
)

// policy is the protection and the time limit of a route.
type policy int

const (
	read     policy = iota
	change          // needs the session's form token, a request from our own pages, and rights that can be told now
	revoke          // as change, but works while the issuer is away, since it only removes access
	formPost        // a change by somebody without a session: needs a request from our own pages
	webhook         // posted by a machine that authenticates itself in the body
	longPoll        // may wait on purpose
	stream          // lasts until the observed operation has ended
)

type route struct {
	method   string
	path     string
	handle   fiber.Handler
	listener listener
	authn    authn
	policy   policy
}

const healthPath = "/health"

// PathBackChannelLogout is where the issuer posts logout tokens.
const PathBackChannelLogout = "/auth/backchannel-logout"

// routes lists everything that the panel serves.
func (s *Server) routes() []route {
	return slices.Concat(s.accountPages(), s.sitePages(), s.endpoints())
}

// accountPages are those about oneself: signing in, sessions, tokens.
func (s *Server) accountPages() []route {
	return []route{
		{"GET", healthPath, s.health, both, noAuth, read},
		{"GET", assets.Prefix + ":name", s.asset, edge, noAuth, read},
		{"GET", "/accessibility", s.accessibility, edge, session, read},

		{"GET", "/sign-in", s.signInPage, edge, session, read},
		{"GET", "/auth/login", s.login, edge, noAuth, read},
		{"GET", "/auth/step-up", s.stepUp, edge, noAuth, read},
		{"GET", identity.CallbackPath, s.callback, edge, noAuth, read},
		{"POST", "/auth/logout", s.logout, edge, session, revoke},
		{"POST", PathBackChannelLogout, s.backchannelLogout, edge, noAuth, webhook},
		{"GET", "/break-glass", s.breakGlassPage, edge, noAuth, read},
		{"POST", "/break-glass", s.breakGlassEnter, edge, noAuth, formPost},

		{"GET", "/", s.home, edge, session, read},
		{"GET", "/account", s.account, edge, session, read},
		{"POST", "/account/sessions/end", s.sessionsEnd, edge, session, revoke},
		{"POST", "/account/sessions/:id/end", s.sessionEnd, edge, session, revoke},
		{"GET", "/people/:subject", s.person, edge, session, read},
		{"POST", "/people/:subject/sign-out", s.personSignOut, edge, session, change},
		{"POST", "/account/tokens", s.tokenCreate, edge, session, change},
		{"GET", "/account/tokens/:id/revoke", s.tokenRevokeConfirm, edge, session, read},
		{"POST", "/account/tokens/:id/revoke", s.tokenRevoke, edge, session, revoke},
	}
}

// sitePages are those about associations, their sites, and the platform.
func (s *Server) sitePages() []route {
	return []route{
		{"GET", "/associations", s.associations, edge, session, read},
		{"GET", "/associations/new", s.associationNew, edge, session, read},
		{"POST", "/associations", s.associationCreate, edge, session, change},
		{"GET", "/associations/:slug", s.association, edge, session, read},
		{"GET", "/associations/:slug/journal", s.associationAuditLog, edge, session, read},
		{"GET", "/journal", s.auditLog, edge, session, read},

		{"GET", "/sites", s.sites, edge, session, read},
		{"GET", "/sites/new", s.siteNew, edge, session, read},
		{"POST", "/sites", s.siteCreate, edge, session, change},
		{"GET", "/sites/:id", s.site, edge, session, read},
		{"POST", "/sites/:id/enter", s.siteEnter, edge, session, change},
		{"GET", "/sites/:id/suspend", s.confirmChange(views.ActSuspend, tenants.ActSiteSuspend), edge, session, read},
		{"POST", "/sites/:id/suspend", s.changeSite(Provisioner.SuspendSite), edge, session, change},
		{"POST", "/sites/:id/resume", s.changeSite(Provisioner.ResumeSite), edge, session, change},
		{"GET", "/sites/:id/update", s.confirmChange(views.ActUpdate, tenants.ActSiteUpdate), edge, session, read},
		{"POST", "/sites/:id/update", s.siteUpdate, edge, session, change},
		{"GET", "/sites/:id/delete", s.confirmChange(views.ActDelete, tenants.ActSiteDelete), edge, session, read},
		{"POST", "/sites/:id/delete", s.changeSite(Provisioner.DeleteSite), edge, session, change},
		{"POST", "/sites/:id/restore", s.changeSite(Provisioner.RestoreSite), edge, session, change},
		{"GET", "/sites/:id/purge", s.confirmChange(views.ActPurge, tenants.ActSitePurge), edge, session, read},
		{"POST", "/sites/:id/purge", s.sitePurge, edge, session, change},
		{"POST", "/sites/:id/backups", s.changeSite(Provisioner.BackUpSite), edge, session, change},
		{"GET", "/sites/:id/backups/:snapshot/restore", s.recoverConfirm, edge, session, read},
		{"POST", "/sites/:id/backups/:snapshot/restore", s.siteRecover, edge, session, change},
		{"GET", "/sites/:id/egress", s.siteEgress, edge, session, read},
		{"GET", "/sites/:id/egress/ask", s.accessNew, edge, session, read},
		{"POST", "/sites/:id/egress/ask", s.accessAsk, edge, session, change},
		{"POST", "/sites/:id/egress/:access/grant", s.accessGrant, edge, session, change},
		{"POST", "/sites/:id/egress/:access/refuse", s.accessRefuse, edge, session, change},
		{"POST", "/sites/:id/egress/:access/revoke", s.accessRevoke, edge, session, change},
		{"GET", "/bin", s.bin, edge, session, read},
		{"GET", "/platform", s.platform, edge, session, read},

		{"GET", "/operations/:id", s.operation, edge, session, read},
		{"GET", "/operations/:id/events", s.operationEvents, edge, session, stream},
		{"POST", "/operations/:id/cancel", s.operationCancel, edge, session, change},
		{"POST", "/operations/:id/retry", s.operationRetry, edge, session, change},
	}
}

func (s *Server) endpoints() []route {
	const p = api.Prefix
	return []route{
		{"GET", p + api.PathDocument, s.apiDocument, both, noAuth, read},
		{"GET", p + "/account", s.apiAccount, both, sessionOrToken, read},
		{"GET", p + "/templates", s.apiTemplates, both, sessionOrToken, read},
		{"GET", p + "/doctor", s.apiDoctor, both, sessionOrToken, longPoll},

		{"GET", p + "/findings", s.apiFindings, both, sessionOrToken, read},

		{"GET", p + "/associations", s.apiAssociations, both, sessionOrToken, read},
		{"POST", p + "/associations", s.apiAssociationCreate, both, sessionOrToken, change},
		{"GET", p + "/associations/:slug", s.apiAssociation, both, sessionOrToken, read},

		{"GET", p + "/sites", s.apiSites, both, sessionOrToken, read},
		{"POST", p + "/sites", s.apiSiteCreate, both, sessionOrToken, change},
		{"GET", p + "/sites/:id", s.apiSite, both, sessionOrToken, read},
		{"POST", p + "/sites/:id/suspend", s.apiChangeSite(Provisioner.SuspendSite), both, sessionOrToken, change},
		{"POST", p + "/sites/:id/resume", s.apiChangeSite(Provisioner.ResumeSite), both, sessionOrToken, change},
		{"POST", p + "/sites/:id/update", s.apiSiteUpdate, both, sessionOrToken, change},
		{"POST", p + "/sites/:id/delete", s.apiChangeSite(Provisioner.DeleteSite), both, sessionOrToken, change},
		{"POST", p + "/sites/:id/restore", s.apiChangeSite(Provisioner.RestoreSite), both, sessionOrToken, change},
		{"POST", p + "/sites/:id/purge", s.apiChangeSite(Provisioner.PurgeSite), both, sessionOrToken, change},

		{"GET", p + "/sites/:id/backups", s.apiBackups, both, sessionOrToken, read},
		{"POST", p + "/sites/:id/backups", s.apiChangeSite(Provisioner.BackUpSite), both, sessionOrToken, change},
		{"POST", p + "/sites/:id/backups/:snapshot/restore", s.apiSiteRecover, both, sessionOrToken, change},

		{"GET", p + "/egress/access", s.apiAccessList, both, sessionOrToken, read},
		{"GET", p + "/sites/:id/egress", s.apiEgress, both, sessionOrToken, read},
		{"GET", p + "/sites/:id/egress/tries", s.apiTries, both, sessionOrToken, read},
		{"GET", p + "/sites/:id/mail", s.apiMail, both, sessionOrToken, read},
		{"POST", p + "/sites/:id/egress/access", s.apiAccessAsk, both, sessionOrToken, change},
		{"POST", p + "/sites/:id/egress/access/:access/grant", s.apiAccessGrant, both, sessionOrToken, change},
		{"POST", p + "/sites/:id/egress/access/:access/refuse", s.apiAccessRefuse, both, sessionOrToken, change},
		{"POST", p + "/sites/:id/egress/access/:access/revoke", s.apiAccessRevoke, both, sessionOrToken, change},

		{"GET", p + "/operations", s.apiOperations, both, sessionOrToken, read},
		{"GET", p + "/operations/:id", s.apiOperation, both, sessionOrToken, longPoll},
		{"GET", p + "/operations/:id/events", s.apiOperationEvents, both, sessionOrToken, stream},
		{"POST", p + "/operations/:id/cancel", s.apiOperationCancel, both, sessionOrToken, change},
		{"POST", p + "/operations/:id/retry", s.apiOperationRetry, both, sessionOrToken, change},

		{"GET", p + "/audit", s.apiAudit, both, sessionOrToken, read},

		{"GET", p + "/tokens", s.apiTokens, both, sessionOrToken, read},
		{"POST", p + "/tokens", s.apiTokenCreate, both, sessionOrToken, change},
		{"DELETE", p + "/tokens/:id", s.apiTokenRevoke, both, sessionOrToken, revoke},

		// Root on the server alone: there is nothing to authorise that the socket's mode has not.
		{"POST", p + "/break-glass", s.apiBreakGlass, local, sessionOrToken, change},
	}
}

// apiRoutes are the endpoints as the API's document lists them.
func (s *Server) apiRoutes() []contract.Route {
	var out []contract.Route
	for _, r := range s.endpoints() {
		out = append(out, contract.Route{Method: r.method, Path: r.path, Stream: r.policy == stream})
	}
	return out
}

func (s *Server) apiDocument(c *fiber.Ctx) error { return c.JSON(s.document) }

// mount registers a route with the middleware that its columns require.
func (s *Server) mount(app *fiber.App, on listener, r route) {
	if r.listener&on == 0 {
		return
	}
	handlers := []fiber.Handler{middleware.Deadline(s.done, r.limit()), s.authenticate(on, r), s.checkText(r), r.handle}
	app.Add(r.method, r.path, handlers...)
	if r.method == fiber.MethodGet && r.policy != stream {
		app.Add(fiber.MethodHead, r.path, handlers...)
	}
}

func (r route) limit() time.Duration {
	if r.policy == longPoll {
		return patientLimit
	}
	return handlerLimit
}

// authenticate identifies the visitor and rejects forged changes.
func (s *Server) authenticate(on listener, r route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		v, err := s.identify(c.UserContext(), c, on, r.authn)
		c.Locals(visitorKey, v)
		if err != nil {
			return err
		}
		if err := s.checkForgery(c, on, r, v); err != nil {
			return err
		}
		if r.policy == change && v.Stale {
			return errStaleRights
		}
		return c.Next()
	}
}

// checkForgery accepts only requests that no other site's page can make a browser send. Browsers do not send tokens or
// reach the local socket on their own.
func (s *Server) checkForgery(c *fiber.Ctx, on listener, r route, v visitor) error {
	changes := r.policy == change || r.policy == revoke || r.policy == formPost
	if !changes || on == local || v.Principal.Kind == tokenKind {
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
	for _, d := range []listener{edge, local} {
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
