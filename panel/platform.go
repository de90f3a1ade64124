package panel

import (
	"context"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/platform"
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
	for i, check := range found.Checks {
		if check.Name == "worker" && check.State == api.CheckRed {
			found.Checks[i].Advice = s.workerAdvice(c.UserContext(), check.Advice)
		}
	}
	found.Checks = append(found.Checks, s.findingChecks(c.UserContext())...)
	return c.JSON(found)
}

func (s *Server) apiBreakGlass(c *fiber.Ctx) error {
	key, until, err := s.breakGlass.Issue(c.UserContext(), visitorOf(c).Principal)
	if err != nil {
		return err
	}
	link := s.o.PublicURL + views.PathBreakGlass + "?" + url.Values{"key": {key}}.Encode()
	return c.Status(fiber.StatusCreated).JSON(api.BreakGlassLink{URL: link, ExpiresAt: until})
}

// workerAdvice says what to type, as far as the last worker left word.
func (s *Server) workerAdvice(ctx context.Context, otherwise string) string {
	command, err := s.o.Records.Revival(ctx)
	if err != nil || command == "" {
		return otherwise
	}
	return "The worker does not answer: sites go on, but nothing is made, changed or repaired. Type on the server: " + command
}

// containers tells how the platform's containers are; silent is true when the worker, which looks, does not answer.
func (s *Server) containers(ctx context.Context) (parts []views.Component, silent bool) {
	if s.o.Monitor == nil {
		return nil, false
	}
	found, err := s.o.Monitor.Containers(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "the state of the platform's parts is not known", "error", err)
		return nil, true
	}
	for _, p := range found {
		parts = append(parts, views.Component{Role: p.Role, Container: p.Container, State: containerState(p), Since: p.Since, Restarts: p.Restarts})
	}
	return parts, false
}

func containerState(p platform.State) views.PartState {
	switch {
	case p.State == "running" && p.Health == "unhealthy":
		return views.PartIll
	case p.State == "running" && p.Health == "starting", p.State == "created":
		return views.PartStarting
	case p.State == "running":
		return views.PartWell
	case p.State == "restarting":
		return views.PartRestarting
	case p.State == "gone":
		return views.PartGone
	case p.State == "":
		return views.PartUnknown
	}
	return views.PartStopped
}
