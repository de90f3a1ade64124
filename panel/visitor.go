package panel

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// visitor is the authenticated author of a request.
type visitor struct {
	Principal tenants.Principal
	Session   *auth.Session // nil without one
	Stale     bool          // rights are the last known ones
	Address   string
}

type localsKey int

const visitorKey localsKey = 0

func visitorOf(c *fiber.Ctx) visitor {
	if v, ok := c.Locals(visitorKey).(visitor); ok {
		return v
	}
	return visitor{Principal: tenants.Anonymous()}
}

const (
	sessionCookie = "__Host-chatiere"
	flowCookie    = "__Host-chatiere-login"
)

// authorize is the one place where reading is allowed or refused; changes are, by the use cases.
func (s *Server) authorize(c *fiber.Ctx, a tenants.Action, slug string) error {
	return tenants.Authorize(visitorOf(c).Principal, a, slug)
}

// identify authenticates the visitor in the ways that the route accepts. It does not reject visitors without
// credentials: authorisation does.
func (s *Server) identify(ctx context.Context, c *fiber.Ctx, on listener, p authn) (visitor, error) {
	if on == local {
		return visitor{Principal: tenants.Local()}, nil
	}
	v := visitor{Principal: tenants.Anonymous(), Address: address(c)}
	if p == noAuth {
		return v, nil
	}
	if secret, ok := bearer(c); ok && p == sessionOrToken {
		return s.identifyToken(ctx, v, secret)
	}
	cookie := c.Cookies(sessionCookie)
	if cookie == "" {
		return v, nil
	}
	visit, err := s.sessions.Resolve(ctx, cookie, v.Address)
	if errors.Is(err, auth.ErrEnded) {
		clearCookie(c, sessionCookie)
		return v, nil
	}
	if err != nil {
		return v, err
	}
	v.Principal, v.Session, v.Stale = visit.Session.Principal(), &visit.Session, visit.Stale
	return v, nil
}

// identifyToken rejects an invalid token even on routes that require none: its owner should learn of it.
func (s *Server) identifyToken(ctx context.Context, v visitor, secret string) (visitor, error) {
	p, err := s.tokens.Resolve(ctx, secret)
	if errors.Is(err, auth.ErrEnded) {
		// One that is good always passes, however many bad ones come from the same address.
		if err := s.limiter.Take(ctx, auth.LimitToken, v.Address); err != nil {
			return v, err
		}
		return v, tenants.ErrUnauthenticated
	}
	v.Principal, v.Stale = p.Principal, p.Stale
	return v, err
}

func bearer(c *fiber.Ctx) (string, bool) {
	scheme, secret, ok := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	return strings.TrimSpace(secret), ok && strings.EqualFold(scheme, "Bearer")
}

// address returns the browser's address from the proxy, which overwrites the header; nobody else can reach this socket.
func address(c *fiber.Ctx) string {
	ip, err := netip.ParseAddr(c.Get("X-Real-IP"))
	if err != nil {
		return ""
	}
	return ip.Unmap().WithZone("").String()
}

// origin returns where a request comes from, for new sessions.
func origin(c *fiber.Ctx) auth.Origin {
	return auth.Origin{Address: address(c), Agent: strings.Clone(c.Get(fiber.HeaderUserAgent))}
}

// request returns the use cases' form of the visitor.
func (s *Server) request(c *fiber.Ctx, key string) provision.Request {
	v := visitorOf(c)
	return provision.Request{Principal: v.Principal, Address: v.Address, Key: key}
}

func clearCookie(c *fiber.Ctx, name string) {
	c.Cookie(&fiber.Cookie{Name: name, Value: "", Path: "/", Secure: true, HTTPOnly: true, SameSite: "Lax", MaxAge: -1})
}

func setCookie(c *fiber.Ctx, name, value string, seconds int) {
	c.Cookie(&fiber.Cookie{
		Name: name, Value: value, Path: "/", Secure: true, HTTPOnly: true, SameSite: "Lax", MaxAge: seconds, SessionOnly: seconds == 0,
	})
}
