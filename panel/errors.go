package panel

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/auth"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

var (
	// errStaleForm: a change came without its session's token, or from another site's page.
	errStaleForm = errors.New("form is not of this session")
	// errStaleRights: a change was asked for while nobody can tell the asker's rights.
	errStaleRights = errors.New("rights cannot be renewed now")
	// errMalformed: the request cannot be read.
	errMalformed = errors.New("malformed request")
)

// errorResponse is how an error is presented.
type errorResponse struct {
	is      error
	status  int
	code    api.Code
	trouble views.TroubleKind
	message string // for programs and the command line; pages have their own words
}

// errorResponses maps errors to responses; the first match counts.
var errorResponses = []errorResponse{
	{tenants.ErrUnauthenticated, 401, api.CodeUnauthenticated, views.TroubleRefused, "Nobody is signed in, or the token is not valid (any more)."},
	{errStaleRights, 503, api.CodeUnavailable, views.TroubleIdentityDown, "The identity provider does not answer; changes are refused until it does."},
	{errStaleForm, 403, api.CodeStaleForm, views.TroubleStaleForm, "The form is too old or came from elsewhere."},
	{tenants.ErrStepUp, 403, api.CodeStepUp, views.TroubleSecondFactor, "Sign in with the second factor first."},
	{auth.ErrWeak, 403, api.CodeStepUp, views.TroubleSecondFactor, "The second factor was not proved."},
	{auth.ErrRefused, 403, api.CodeForbidden, views.TroubleRefused, "The identity provider refused the sign-in."},
	{tenants.ErrCoopOnly, 403, api.CodeForbidden, views.TroubleCoopOnly, "The co-op asked for this, and it alone can undo it."},
	{tenants.ErrForbidden, 403, api.CodeForbidden, views.TroubleRefused, "This is not yours to do."},
	{tenants.ErrNotFound, 404, api.CodeNotFound, views.TroubleNotFound, "There is no such thing, or it is not yours to see."},
	{operations.ErrNotFound, 404, api.CodeNotFound, views.TroubleNotFound, "There is no such operation, or it is not yours to see."},
	{tenants.ErrInvalid, 422, api.CodeInvalid, views.TroubleMalformed, "Some fields are not right."},
	{operations.ErrBusy, 409, api.CodeBusy, views.TroubleConflict, "Another operation is at work on it."},
	{operations.ErrTooLate, 409, api.CodeTooLate, views.TroubleConflict, "It is too late to cancel this operation."},
	{tenants.ErrConflict, 409, api.CodeConflict, views.TroubleConflict, "Its present state does not allow this."},
	{auth.ErrLimited, 429, api.CodeTooMany, views.TroubleTooMany, "Too many tries. Wait a minute."},
	{auth.ErrNoCookie, 400, api.CodeMalformed, views.TroubleCookies, "The browser did not keep the cookie of this sign-in."},
	{auth.ErrFlow, 400, api.CodeMalformed, views.TroubleSignIn, "This sign-in is not known (any more). Start again."},
	{auth.ErrEnded, 410, api.CodeNotFound, views.TroubleGone, "This is over."},
	{errMalformed, 400, api.CodeMalformed, views.TroubleMalformed, "The request cannot be read."},
	{tenants.ErrDiskFull, 503, api.CodeDiskFull, views.TroubleUnavailable, "The disk is full."},
	{tenants.ErrUnavailable, 503, api.CodeUnavailable, views.TroubleUnavailable, "Something this needs does not answer. Try again in a minute."},
	{tenants.ErrRefused, 503, api.CodeUnavailable, views.TroubleUnavailable, "Something this needs does not accept the co-op's credentials. Tell the co-op."},
	{context.DeadlineExceeded, 503, api.CodeUnavailable, views.TroubleUnavailable, "This took too long. Try again in a minute."},
	{context.Canceled, 503, api.CodeUnavailable, views.TroubleUnavailable, "The panel is restarting. Try again in a minute."},
}

// internalError is the response for all other errors, with the request's id only.
var internalError = errorResponse{nil, 500, api.CodeInternal, views.TroubleInternal, "Something went wrong. The co-op finds it by the request id."}

// fiberErrors maps the statuses of Fiber's own errors.
var fiberErrors = map[int]errorResponse{
	400: {nil, 400, api.CodeMalformed, views.TroubleMalformed, "The request cannot be read."},
	404: {nil, 404, api.CodeNotFound, views.TroubleNotFound, "There is no such page."},
	405: {nil, 405, api.CodeMethod, views.TroubleMalformed, "This address does not take that method."},
	408: {nil, 408, api.CodeMalformed, views.TroubleMalformed, "The request did not arrive in time."},
	413: {nil, 413, api.CodeTooLarge, views.TroubleTooLarge, "The request is too large."},
	414: {nil, 414, api.CodeTooLarge, views.TroubleTooLarge, "The address is too long."},
	431: {nil, 431, api.CodeTooLarge, views.TroubleTooLarge, "The request's headers are too large."},
	502: {nil, 400, api.CodeMalformed, views.TroubleMalformed, "The request broke off."}, // its sender went away
}

func responseFor(err error) errorResponse {
	for _, a := range errorResponses {
		if errors.Is(err, a.is) {
			return a
		}
	}
	var broken *net.OpError
	if errors.As(err, &broken) {
		return responseFor(tenants.ErrUnavailable)
	}
	var own *fiber.Error
	if errors.As(err, &own) {
		if a, ok := fiberErrors[own.Code]; ok {
			return a
		}
	}
	return internalError
}

// fail is Fiber's error handler: it logs the cause under the request's id and sends the response for it.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	if middleware.RequestIDOf(c) == "" { // it could not even be read
		middleware.Identify(c)
		s.protect(c)
	}
	a := responseFor(err)
	s.logFailure(c, a, err)
	if a.status == fiber.StatusTooManyRequests {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(retryAfter(err)/time.Second)))
	}
	if isAPI(c) {
		return c.Status(a.status).JSON(envelope(a, err, middleware.RequestIDOf(c)))
	}
	if errors.Is(err, tenants.ErrUnauthenticated) {
		return c.Redirect(signInPath(c), fiber.StatusSeeOther)
	}
	page := views.Trouble{
		Base: s.base(c), Kind: s.troubleFor(c, a), RequestID: middleware.RequestIDOf(c), Return: returnPath(c),
	}
	if page.Kind == views.TroubleTooMany {
		page.Wait = int((retryAfter(err) + time.Minute - 1) / time.Minute)
	}
	return s.render(c, a.status, page)
}

// retryAfter returns the wait time of a limit error, in whole seconds.
func retryAfter(err error) time.Duration {
	var many *auth.LimitError
	if !errors.As(err, &many) {
		return time.Minute
	}
	return many.Wait.Truncate(time.Second) + time.Second
}

func (s *Server) logFailure(c *fiber.Ctx, a errorResponse, err error) {
	v := visitorOf(c)
	attributes := []any{"request_id", middleware.RequestIDOf(c), "method", c.Method(), "path", c.Path(), "status", a.status,
		"principal", v.Principal.ID, "error", err}
	if a.status >= 500 {
		s.log.Error("request failed", attributes...)
		return
	}
	s.log.Info("request refused", attributes...)
}

// troubleFor tells a member of the association that its managers may do what they may not.
func (s *Server) troubleFor(c *fiber.Ctx, a errorResponse) views.TroubleKind {
	if a.trouble != views.TroubleRefused || a.status != 403 {
		return a.trouble
	}
	for _, act := range []string{"/delete", "/restore", "/enter", "/cancel", "/retry"} {
		if strings.HasSuffix(c.Path(), act) {
			return views.TroubleManagersOnly
		}
	}
	return a.trouble
}

func envelope(a errorResponse, err error, requestID string) api.Envelope {
	e := api.Error{Code: a.code, Message: a.message, RequestID: requestID}
	var faults tenants.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			e.Faults = append(e.Faults, api.Fault{Field: f.Field, Code: f.Code, Proposal: f.Proposal})
		}
	}
	return api.Envelope{Error: e}
}

func isAPI(c *fiber.Ctx) bool { return strings.HasPrefix(c.Path(), api.Prefix) }

// signInPath brings people back to the page they asked for; what a form tried to change they look at first.
func signInPath(c *fiber.Ctx) string {
	back := returnPath(c)
	if back == "/" {
		return views.PathSignIn
	}
	return views.PathSignIn + "?" + url.Values{"return": {back}}.Encode()
}

func returnPath(c *fiber.Ctx) string {
	if c.Method() != fiber.MethodGet {
		return "/"
	}
	return auth.LocalPath(c.OriginalURL())
}
