package panel

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/views"
	"chatiere/tenants"
)

// health answers the platform's own probe. A database that is away is not the panel's illness: restarting would not help.
func (s *Server) health(c *fiber.Ctx) error {
	if err := s.o.Records.Ping(c.UserContext()); err != nil {
		return c.JSON(api.Health{Status: "degraded"})
	}
	return c.JSON(api.Health{Status: "ok"})
}

func (s *Server) apiDoctor(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActDoctor, ""); err != nil {
		return err
	}
	if s.o.Doctor == nil {
		return tenants.ErrUnavailable
	}
	found, err := s.o.Doctor.Examine(c.UserContext())
	if err != nil {
		return err
	}
	found.Checks = append(found.Checks, s.findingChecks(c.UserContext())...)
	return c.JSON(found)
}

func (s *Server) apiBreakGlass(c *fiber.Ctx) error {
	key, until, err := s.glass.Issue(c.UserContext(), visitorOf(c).Principal)
	if err != nil {
		return err
	}
	link := s.o.PublicURL + views.PathBreakGlass + "?" + url.Values{"key": {key}}.Encode()
	return c.Status(fiber.StatusCreated).JSON(api.BreakGlassLink{URL: link, ExpiresAt: until})
}
