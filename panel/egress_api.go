package panel

import (
	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/access"
)

// apiEgress tells what a site may reach, and by whom.
func (s *Server) apiEgress(c *fiber.Ctx) error {
	x, _, err := s.findSite(c, tenants.ActEgressShow)
	if err != nil {
		return err
	}
	wishes, err := s.o.Records.SiteAccess(c.UserContext(), x.ID)
	if err != nil {
		return err
	}
	out := api.Egress{Allowed: []api.Reachable{}, Access: []api.Access{}}
	for _, l := range s.o.Catalogue.Listed(x) {
		from := api.FromTemplate
		if l.Coop {
			from = api.FromCoop
		}
		out.Allowed = append(out.Allowed, api.Reachable{Name: l.Name, Ports: l.Ports, From: from})
	}
	for _, a := range wishes {
		if a.State == tenants.AccessGranted {
			out.Allowed = append(out.Allowed, api.Reachable{Name: a.Name, Ports: a.Ports, From: api.FromSite})
		}
		out.Access = append(out.Access, apiAccessOf(a))
	}
	return c.JSON(out)
}

// apiTries lists what a site tried in the last days (?days=, 1 to 30, else 7), the last first.
func (s *Server) apiTries(c *fiber.Ctx) error {
	x, _, err := s.findSite(c, tenants.ActEgressShow)
	if err != nil {
		return err
	}
	tried, err := s.o.Records.Tries(c.UserContext(), x.ID, s.now().AddDate(0, 0, 1-c.QueryInt("days", triesDays)))
	if err != nil {
		return err
	}
	return c.JSON(listOf(tried, func(t tenants.Try) api.Try {
		return api.Try{
			Name: t.Name, Port: t.Port, Decision: string(t.Decision), Reason: t.Reason, Count: t.Count, Sent: t.Sent, Received: t.Received,
			First: t.First, Last: t.Last,
		}
	}))
}

// apiAccessList lists what waits for a decision, on all sites.
func (s *Server) apiAccessList(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAccessList, ""); err != nil {
		return err
	}
	open, err := s.o.Records.AccessIn(c.UserContext(), tenants.AccessAsked)
	if err != nil {
		return err
	}
	return c.JSON(listOf(open, apiAccessOf))
}

func apiAccessOf(a tenants.Access) api.Access {
	return api.Access{
		ID: a.ID, Site: a.SiteID, Name: a.Name, Ports: a.Ports, Reason: a.Reason, State: string(a.State), AskedBy: a.AskedBy, AskedAt: a.AskedAt,
		DecidedBy: a.DecidedBy, DecidedAt: a.DecidedAt, Answer: a.Answer,
	}
}

func (s *Server) apiAccessAsk(c *fiber.Ctx) error {
	wish, err := body[api.NewAccess](c)
	if err != nil {
		return err
	}
	a, err := s.o.Access.Ask(c.UserContext(), s.request(c, ""), c.Params("id"), access.Wish{Name: wish.Name, Ports: wish.Ports, Reason: wish.Reason})
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(apiAccessOf(a))
}

func (s *Server) apiDecide(c *fiber.Ctx, do verdict) error {
	said, err := body[api.Verdict](c)
	if err != nil {
		return err
	}
	a, err := do(c.UserContext(), s.request(c, ""), c.Params("id"), c.Params("access"), said.Answer)
	if err != nil {
		return err
	}
	return c.JSON(apiAccessOf(a))
}

func (s *Server) apiAccessGrant(c *fiber.Ctx) error  { return s.apiDecide(c, s.o.Access.Grant) }
func (s *Server) apiAccessRefuse(c *fiber.Ctx) error { return s.apiDecide(c, s.o.Access.Refuse) }
func (s *Server) apiAccessRevoke(c *fiber.Ctx) error { return s.apiDecide(c, s.o.Access.Revoke) }
