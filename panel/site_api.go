package panel

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// kept are the states of sites of which more than the row is left.
var kept = []tenants.SiteState{tenants.StateCreating, tenants.StateReady, tenants.StateSuspended, tenants.StateBinned}

// apiSites lists the visitor's sites, or those of one association (?association=), in one state (?state=), by name (?q=).
func (s *Server) apiSites(c *fiber.Ctx) error {
	k, err := s.circleAsked(c)
	if err != nil {
		return err
	}
	states := kept
	if state := tenants.SiteState(c.Query("state")); state != "" {
		if !slices.Contains(kept, state) {
			return tenants.Faults{{Field: "state", Code: "unknown"}}
		}
		states = []tenants.SiteState{state}
	}
	found, err := s.sitesIn(c.UserContext(), k, states, c.Query("q"))
	if err != nil {
		return err
	}
	requests, admin := s.requestsToday(c.UserContext(), found), may(c, tenants.ActDoctor, "")
	return c.JSON(listOf(found, func(x tenants.Site) api.Site { return s.apiSiteOf(x, k.byID[x.AssociationID], requests, admin) }))
}

// circleAsked is the association that a list is asked for, or everything the visitor belongs to.
func (s *Server) circleAsked(c *fiber.Ctx) (circle, error) {
	slug, action := c.Query("association"), tenants.ActAccount
	if slug != "" {
		action = tenants.ActAssociationShow
	}
	if err := s.authorize(c, action, slug); err != nil {
		return circle{}, err
	}
	if slug == "" {
		return s.circleOf(c.UserContext(), visitorOf(c).Principal)
	}
	a, err := s.o.Records.AssociationBySlug(c.UserContext(), slug)
	return bounded(a), err
}

func (s *Server) apiSite(c *fiber.Ctx) error {
	x, a, err := s.findSite(c, tenants.ActSiteShow)
	if err != nil {
		return err
	}
	return c.JSON(s.apiSiteOf(x, a, s.requestsToday(c.UserContext(), []tenants.Site{x}), may(c, tenants.ActDoctor, "")))
}

func (s *Server) apiSiteCreate(c *fiber.Ctx) error {
	wish, err := body[api.NewSite](c)
	if err != nil {
		return err
	}
	op, err := s.o.Desk.CreateSite(c.UserContext(), s.request(c, c.Get(api.HeaderIdempotency)), provision.NewSite{
		Association: wish.Association, Template: wish.Template, Name: wish.Name, Host: wish.Host, AdminEmail: wish.AdminEmail,
	})
	return s.accepted(c, op, err)
}
