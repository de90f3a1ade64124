package panel

import (
	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/egressgrant"
)

// apiEgress lists what a site may reach and why.
func (s *Server) apiEgress(c *fiber.Ctx) error {
	x, _, err := s.findSite(c, tenants.ActEgressShow)
	if err != nil {
		return err
	}
	wishes, err := s.o.Records.SiteGrants(c.UserContext(), x.ID)
	if err != nil {
		return err
	}
	out := api.Egress{Allowed: []api.Reachable{}, Access: []api.Access{}}
	for _, l := range s.o.Catalogue.AllowedNames(x) {
		from := api.FromTemplate
		if l.Coop {
			from = api.FromCoop
		}
		out.Allowed = append(out.Allowed, api.Reachable{Name: l.Name, Ports: l.Ports, From: from})
	}
	for _, a := range wishes {
		if a.State == tenants.GrantGranted {
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
	tried, err := s.o.Records.Attempts(c.UserContext(), x.ID, s.now().AddDate(0, 0, 1-c.QueryInt("days", attemptDays)))
	if err != nil {
		return err
	}
	return c.JSON(listOf(tried, func(t tenants.EgressAttempt) api.Try {
		return api.Try{
			Name: t.Name, Port: t.Port, Decision: string(t.Decision), Reason: t.Reason, Count: t.Count, Sent: t.Sent, Received: t.Received,
			First: t.First, Last: t.Last,
		}
	}))
}

// apiAccessList lists the open requests of all sites.
func (s *Server) apiAccessList(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAccessList, ""); err != nil {
		return err
	}
	open, err := s.o.Records.GrantsIn(c.UserContext(), tenants.GrantAsked)
	if err != nil {
		return err
	}
	return c.JSON(listOf(open, apiAccessOf))
}

func apiAccessOf(a tenants.EgressGrant) api.Access {
	return api.Access{
		ID: a.ID, Site: a.SiteID, Name: a.Name, Ports: a.Ports, Reason: a.Reason, State: string(a.State), AskedBy: a.AskedBy, AskedAt: a.AskedAt,
		DecidedBy: a.DecidedBy, DecidedAt: a.DecidedAt, Answer: a.Answer,
	}
}

func (s *Server) apiAccessAsk(c *fiber.Ctx) error {
	request, err := body[api.NewAccess](c)
	if err != nil {
		return err
	}
	a, err := s.o.Grants.Ask(c.UserContext(), s.request(c, ""), c.Params("id"), egressgrant.Request{Name: request.Name, Ports: request.Ports, Reason: request.Reason})
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(apiAccessOf(a))
}

func (s *Server) apiDecide(c *fiber.Ctx, do decision) error {
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

func (s *Server) apiAccessGrant(c *fiber.Ctx) error  { return s.apiDecide(c, s.o.Grants.Grant) }
func (s *Server) apiAccessRefuse(c *fiber.Ctx) error { return s.apiDecide(c, s.o.Grants.Refuse) }
func (s *Server) apiAccessRevoke(c *fiber.Ctx) error { return s.apiDecide(c, s.o.Grants.Revoke) }
