package panel

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// siteChange is one of the Provisioner's changes to a site, such as Provisioner.SuspendSite.
type siteChange func(p Provisioner, ctx context.Context, r provision.Request, siteID string) (operations.Operation, error)

// changeSite returns a handler that calls the use case, which authorises, and redirects to the operation's page.
func (s *Server) changeSite(do siteChange) fiber.Handler {
	return func(c *fiber.Ctx) error {
		op, err := do(s.o.Provisioner, c.UserContext(), s.request(c, ""), c.Params("id"))
		if err != nil {
			return err
		}
		return seeOther(c, views.OperationPath(op.ID))
	}
}

// apiChangeSite is changeSite for the API.
func (s *Server) apiChangeSite(do siteChange) fiber.Handler {
	return func(c *fiber.Ctx) error {
		op, err := do(s.o.Provisioner, c.UserContext(), s.request(c, c.Get(api.HeaderIdempotency)), c.Params("id"))
		return s.accepted(c, op, err)
	}
}

// updateTo is the change of a site to its template as that is now, in a mode ("": the one it has).
func updateTo(mode string) siteChange {
	return func(p Provisioner, ctx context.Context, r provision.Request, siteID string) (operations.Operation, error) {
		return p.UpdateSite(ctx, r, siteID, mode)
	}
}

func (s *Server) siteUpdate(c *fiber.Ctx) error { return s.changeSite(updateTo(field(c, "mode")))(c) }

func (s *Server) apiSiteUpdate(c *fiber.Ctx) error {
	return s.apiChangeSite(updateTo(c.Query("mode")))(c)
}

// confirmChange returns a handler that asks before a dangerous act.
func (s *Server) confirmChange(act views.Act, action tenants.Action) fiber.Handler {
	return func(c *fiber.Ctx) error {
		page, err := s.confirmation(c, act, action)
		if err != nil {
			return err
		}
		return s.render(c, fiber.StatusOK, page)
	}
}

func (s *Server) confirmation(c *fiber.Ctx, act views.Act, action tenants.Action) (views.Confirm, error) {
	x, a, err := s.findSite(c, action)
	if err != nil {
		return views.Confirm{}, err
	}
	page := views.Confirm{
		Base: s.base(c), Act: act, Action: views.SitePath(x.ID) + "/" + string(act), Back: views.SitePath(x.ID),
		Name: x.Name, Host: x.Host, Assoc: a.Name,
	}
	if x.DiskBytes > 0 {
		page.Disk = views.Known(x.DiskBytes)
	}
	switch act {
	case views.ActDelete:
		page.Days, page.Until = binDays, s.now().Add(tenants.BinPeriod)
	case views.ActPurge:
		page.Back = views.PathBin
		page.Until, _ = x.PurgeableAt()
	}
	return page, nil
}

// sitePurge demands that the address be typed: what is destroyed does not come back.
func (s *Server) sitePurge(c *fiber.Ctx) error {
	x, err := s.o.Records.Site(c.UserContext(), c.Params("id"))
	typed := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(field(c, "confirm"))), ".")
	if err != nil || typed == x.Host {
		return s.changeSite(Provisioner.PurgeSite)(c) // the use case tells what is missing as it should be told
	}
	page, err := s.confirmation(c, views.ActPurge, tenants.ActSitePurge)
	if err != nil {
		return err
	}
	page.Typed = views.Field{Value: field(c, "confirm"), Problem: views.ProblemMismatch}
	return s.render(c, fiber.StatusUnprocessableEntity, page)
}
