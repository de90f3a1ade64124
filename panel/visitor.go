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

// visitor is who makes a request, as far as the door could tell.
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

// recognize finds out who asks, by what the route accepts as proof. It refuses nobody who brings no proof: that is
// authorisation's part.
func (s *Server) recognize(ctx context.Context, c *fiber.Ctx, d door, p proof) (visitor, error) {
	if d == local {
		return visitor{Principal: tenants.Local()}, nil
	}
	v := visitor{Principal: tenants.Anonymous(), Address: address(c)}
	if p == nobody {
		return v, nil
	}
	if secret, ok := bearer(c); ok && p == cookieOrToken {
		return s.recognizeToken(ctx, v, secret)
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

// recognizeToken refuses a bad token even where nobody is asked for one: its owner should learn of it.
func (s *Server) recognizeToken(ctx context.Context, v visitor, secret string) (visitor, error) {
	p, err := s.tokens.Resolve(ctx, secret)
	if errors.Is(err, auth.ErrEnded) {
		// One that is good always passes, however many bad ones come from the same address.
		if err := s.gate.Take(ctx, auth.LimitToken, v.Address); err != nil {
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

// address is the browser's, as our proxy saw it: nobody else can reach this socket, and it overwrites the header.
func address(c *fiber.Ctx) string {
	ip, err := netip.ParseAddr(c.Get("X-Real-IP"))
	if err != nil {
		return ""
	}
	return ip.Unmap().WithZone("").String()
}

// origin is where a request comes from, for those who open sessions.
func origin(c *fiber.Ctx) auth.Origin {
	return auth.Origin{Address: address(c), Agent: strings.Clone(c.Get(fiber.HeaderUserAgent))}
}

// request is who asks, in the use cases' terms.
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
