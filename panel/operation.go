package panel

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/feed"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

func (s *Server) operation(c *fiber.Ctx) error {
	op, a, err := s.findOperation(c)
	if err != nil {
		return err
	}
	page := views.Operation{
		Base: s.base(c), Progress: progressOf(op, s.now()), Subject: a.Name, AssocSlug: a.Slug, AskedBy: askedBy(op), AskedAt: op.CreatedAt,
		Pivoted: s.o.PastPivot != nil && s.o.PastPivot(op),
	}
	reversible := provision.AuthorizeReversal(visitorOf(c).Principal, a.Slug, op) == nil
	page.Cancel = !feed.Over(op) && !page.Pivoted && !op.Cancel && op.State != operations.Undoing && reversible
	page.Retry = op.State == operations.Stuck && reversible
	if op.SiteID != "" {
		x, err := s.o.Records.Site(c.UserContext(), op.SiteID)
		if err != nil {
			return err
		}
		page.Subject = x.Host
		if x.State.Live() {
			page.SiteID = x.ID
		}
		if x.State == tenants.StateReady {
			page.SiteURL = s.siteURL(x.Host)
		}
	}
	return s.render(c, fiber.StatusOK, page)
}

// over reports whether there is nothing more to wait for: ended, or held until a person acts.
func (s *Server) operationCancel(c *fiber.Ctx) error {
	if err := s.o.Provisioner.CancelOperation(c.UserContext(), s.request(c, ""), c.Params("id")); err != nil {
		return err
	}
	flash(c, views.FlashCancelAsked, "")
	return seeOther(c, views.OperationPath(c.Params("id")))
}

func (s *Server) operationRetry(c *fiber.Ctx) error {
	if err := s.o.Provisioner.RetryOperation(c.UserContext(), s.request(c, ""), c.Params("id")); err != nil {
		return err
	}
	return seeOther(c, views.OperationPath(c.Params("id")))
}

// apiOperations lists the visitor's operations, newest first: ?association=, ?site=, ?live=true, ?limit=.
func (s *Server) apiOperations(c *fiber.Ctx) error {
	k, err := s.requestedScope(c)
	if err != nil {
		return err
	}
	found, err := s.operationsIn(c.UserContext(), k, operations.Filter{
		SiteID: c.Query("site"), LiveOnly: c.QueryBool("live"), Limit: min(max(c.QueryInt("limit"), 0), 1000),
	})
	if err != nil {
		return err
	}
	admin := may(c, tenants.ActDoctor, "")
	return c.JSON(listOf(found, func(op operations.Operation) api.Operation {
		return operationOf(op, k.byID[op.AssociationID].Slug, admin)
	}))
}

// maxWait stays below the proxy's patience.
const maxWait = 50 * time.Second

// apiOperation answers at once, or with ?wait=30s when the operation is over or the time is.
func (s *Server) apiOperation(c *fiber.Ctx) error {
	op, a, err := s.findOperation(c)
	if err != nil {
		return err
	}
	if typed := c.Query("wait"); typed != "" && !feed.Over(op) {
		patience, err := time.ParseDuration(typed)
		if err != nil || patience < 0 {
			return tenants.Faults{{Field: "wait", Code: "malformed"}}
		}
		op = s.feed.Until(c.UserContext(), op, min(patience, maxWait))
	}
	return c.JSON(operationOf(op, a.Slug, may(c, tenants.ActDoctor, "")))
}

func (s *Server) apiOperationCancel(c *fiber.Ctx) error {
	if err := s.o.Provisioner.CancelOperation(c.UserContext(), s.request(c, ""), c.Params("id")); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

func (s *Server) apiOperationRetry(c *fiber.Ctx) error {
	if err := s.o.Provisioner.RetryOperation(c.UserContext(), s.request(c, ""), c.Params("id")); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
