package panel

import (
	"errors"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/assets"
	"chatiere/panel/auth"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
)

func (s *Server) signInPage(c *fiber.Ctx) error {
	back := auth.LocalPath(c.Query("return"))
	if visitorOf(c).Session != nil {
		return seeOther(c, back)
	}
	if !s.provider.Alive(c.UserContext()) {
		return s.signInUnavailable(c, back)
	}
	base := s.base(c)
	base.Flashes = takeFlash(c)
	return s.render(c, fiber.StatusOK, views.SignIn{Base: base, Return: back})
}

func (s *Server) signInUnavailable(c *fiber.Ctx, back string) error {
	c.Set(fiber.HeaderRetryAfter, "30")
	return s.render(c, fiber.StatusServiceUnavailable, views.SignInUnavailable{Base: s.base(c), Return: back})
}

func (s *Server) login(c *fiber.Ctx) error  { return s.redirectToIssuer(c, false) }
func (s *Server) stepUp(c *fiber.Ctx) error { return s.redirectToIssuer(c, true) }

// redirectToIssuer starts a sign-in.
func (s *Server) redirectToIssuer(c *fiber.Ctx, stepUp bool) error {
	if err := s.limiter.Take(c.UserContext(), auth.LimitStart, address(c)); err != nil {
		return err
	}
	back := auth.LocalPath(c.Query("return"))
	d, err := s.signIn.Begin(c.UserContext(), auth.Start{
		Return: back, StepUp: stepUp, Language: middleware.LanguageOf(c), Binding: c.Cookies(flowCookie),
	})
	if errors.Is(err, tenants.ErrUnavailable) {
		s.log.Warn("sign-in not possible", "request_id", middleware.RequestIDOf(c), "error", err)
		return s.signInUnavailable(c, back)
	}
	if err != nil {
		return err
	}
	setCookie(c, flowCookie, d.Binding, int(d.Expires.Sub(s.now())/time.Second))
	return seeOther(c, d.URL)
}

// callback is where the issuer sends the browser back to.
func (s *Server) callback(c *fiber.Ctx) error {
	if err := s.limiter.Blocked(auth.LimitCallback, address(c)); err != nil {
		return err
	}
	a, err := s.signIn.Finish(c.UserContext(), auth.Callback{
		State: c.Query("state"), Code: c.Query("code"), Issuer: c.Query("iss"), Error: c.Query("error"),
		Binding: c.Cookies(flowCookie), Session: c.Cookies(sessionCookie), Origin: origin(c),
	})
	if errors.Is(err, tenants.ErrUnavailable) {
		s.log.Warn("sign-in not finished", "request_id", middleware.RequestIDOf(c), "error", err)
		return s.signInUnavailable(c, "/")
	}
	if errors.Is(err, auth.ErrFlow) {
		return s.callbackFailed(c, err)
	}
	if err != nil {
		return s.countFailure(c, auth.LimitCallback, err)
	}
	s.limiter.Trust(c.UserContext(), address(c))
	setCookie(c, sessionCookie, a.Cookie, 0)
	return seeOther(c, a.ReturnTo)
}

// callbackFailed handles a callback that matches no sign-in: a visitor with a session went back with the browser's button
// and is sent to the home page; a sign-in that took too long begins again, usually without a question.
func (s *Server) callbackFailed(c *fiber.Ctx, cause error) error {
	if err := s.countFailure(c, auth.LimitCallback, cause); errors.Is(err, auth.ErrLimited) {
		return err
	}
	if cookie := c.Cookies(sessionCookie); cookie != "" {
		if _, err := s.sessions.Resolve(c.UserContext(), cookie, address(c)); err == nil {
			return seeOther(c, "/")
		}
	}
	var late *auth.ExpiredFlow
	if !errors.As(cause, &late) {
		return cause
	}
	path := "/auth/login"
	if late.StepUp {
		path = views.PathStepUp
	}
	return seeOther(c, path+"?"+url.Values{"return": {late.Return}}.Encode())
}

func (s *Server) logout(c *fiber.Ctx) error {
	v := visitorOf(c)
	clearCookie(c, sessionCookie)
	if v.Session == nil {
		return seeOther(c, views.PathSignIn)
	}
	if err := s.sessions.Close(c.UserContext(), v.Session.Hash); err != nil {
		return err
	}
	s.audit(c, "session.close", "")
	if farewell := s.sessions.LogoutURL(*v.Session); farewell != "" && s.provider.Alive(c.UserContext()) {
		return seeOther(c, farewell)
	}
	flash(c, views.FlashSignedOut, "")
	return seeOther(c, views.PathSignIn)
}

// audit appends an entry for an action outside the use cases. An error is only logged, since the action is done.
func (s *Server) audit(c *fiber.Ctx, action, detail string) {
	v := visitorOf(c)
	err := s.o.Records.Audit(c.UserContext(), tenants.AuditEntry{
		At: s.now().UTC(), ActorKind: v.Principal.Kind, ActorID: v.Principal.ID, ActorName: v.Principal.Name, Address: v.Address,
		Action: action, Detail: detail,
	})
	if err != nil {
		s.log.Error("audit entry not written", "request_id", middleware.RequestIDOf(c), "action", action, "error", err)
	}
}

// backchannelLogout is called by the issuer with a signed token. Only invalid tokens are counted: somebody who shares the
// issuer's address must not be able to block its logouts.
func (s *Server) backchannelLogout(c *fiber.Ctx) error {
	n, err := s.back.Logout(c.UserContext(), field(c, "logout_token"))
	if errors.Is(err, auth.ErrFlow) {
		if err := s.countFailure(c, auth.LimitLogout, err); errors.Is(err, auth.ErrLimited) {
			return err
		}
		s.log.Warn("logout token refused", "request_id", middleware.RequestIDOf(c), "error", err)
		return c.Status(fiber.StatusBadRequest).JSON(fiber.Map{"error": "invalid_request"})
	}
	if err != nil {
		return err
	}
	s.log.Info("signed out by the issuer", "request_id", middleware.RequestIDOf(c), "sessions", n)
	return c.SendStatus(fiber.StatusOK)
}

// breakGlassPage only shows a button: a chat program's link preview must not use up the link.
func (s *Server) breakGlassPage(c *fiber.Ctx) error {
	if err := s.limiter.Blocked(auth.LimitLink, address(c)); err != nil {
		return err
	}
	key := c.Query("key")
	until, err := s.breakGlass.Check(c.UserContext(), key)
	base := s.base(c)
	base.Path = "/" // the key stays out of the page's links
	if errors.Is(err, auth.ErrEnded) {
		if err := s.countFailure(c, auth.LimitLink, err); errors.Is(err, auth.ErrLimited) {
			return err
		}
		return s.render(c, fiber.StatusGone, views.BreakGlass{Base: base})
	}
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.BreakGlass{Base: base, Key: key, Until: until})
}

func (s *Server) breakGlassEnter(c *fiber.Ctx) error {
	if err := s.limiter.Blocked(auth.LimitLink, address(c)); err != nil {
		return err
	}
	a, err := s.breakGlass.Enter(c.UserContext(), field(c, "key"), c.Cookies(sessionCookie), origin(c))
	if errors.Is(err, auth.ErrEnded) {
		if err := s.countFailure(c, auth.LimitLink, err); errors.Is(err, auth.ErrLimited) {
			return err
		}
		return s.render(c, fiber.StatusGone, views.BreakGlass{Base: s.base(c)})
	}
	if err != nil {
		return err
	}
	s.log.Warn("break-glass link used", "request_id", middleware.RequestIDOf(c))
	setCookie(c, sessionCookie, a.Cookie, 0)
	return seeOther(c, a.ReturnTo)
}

func (s *Server) accessibility(c *fiber.Ctx) error {
	return s.render(c, fiber.StatusOK, views.Accessibility{Base: s.base(c)})
}

func (s *Server) asset(c *fiber.Ctx) error {
	f, ok := s.o.Assets.Served(c.Params("name"))
	if !ok {
		return tenants.ErrNotFound
	}
	c.Set(fiber.HeaderCacheControl, assets.CacheControl)
	c.Set(fiber.HeaderContentType, f.ContentType)
	return c.Send(f.Content)
}
