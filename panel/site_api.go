package panel

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// existingStates are the states of sites of which more than the row is left.
var existingStates = []tenants.SiteState{tenants.StateCreating, tenants.StateReady, tenants.StateSuspended, tenants.StateBinned}

// apiSites lists the visitor's sites, or those of one association (?association=), in one state (?state=), by name (?q=).
func (s *Server) apiSites(c *fiber.Ctx) error {
	k, err := s.requestedScope(c)
	if err != nil {
		return err
	}
	states := existingStates
	if state := tenants.SiteState(c.Query("state")); state != "" {
		if !slices.Contains(existingStates, state) {
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

// requestedScope is the association that a list is asked for, or everything the visitor belongs to.
func (s *Server) requestedScope(c *fiber.Ctx) (scope, error) {
	slug, action := c.Query("association"), tenants.ActAccount
	if slug != "" {
		action = tenants.ActAssociationShow
	}
	if err := s.authorize(c, action, slug); err != nil {
		return scope{}, err
	}
	if slug == "" {
		return s.scopeOf(c.UserContext(), visitorOf(c).Principal)
	}
	a, err := s.o.Records.AssociationBySlug(c.UserContext(), slug)
	return newScope(a), err
}

func (s *Server) apiSite(c *fiber.Ctx) error {
	x, a, err := s.findSite(c, tenants.ActSiteShow)
	if err != nil {
		return err
	}
	return c.JSON(s.apiSiteOf(x, a, s.requestsToday(c.UserContext(), []tenants.Site{x}), may(c, tenants.ActDoctor, "")))
}

func (s *Server) apiSiteCreate(c *fiber.Ctx) error {
	spec, err := body[api.NewSite](c)
	if err != nil {
		return err
	}
	op, err := s.o.Provisioner.CreateSite(c.UserContext(), s.request(c, c.Get(api.HeaderIdempotency)), provision.NewSite{
		Association: spec.Association, Template: spec.Template, Mode: spec.Mode, Name: spec.Name, Host: spec.Host, AdminEmail: spec.AdminEmail,
	})
	return s.accepted(c, op, err)
}
