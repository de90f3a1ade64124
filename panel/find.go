package panel

import (
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// listedStates are the states of sites in lists; the bin has its own.
var listedStates = []tenants.SiteState{tenants.StateCreating, tenants.StateReady, tenants.StateSuspended}

// findSite reads the site of the path and authorises the visitor for it.
func (s *Server) findSite(c *fiber.Ctx, act tenants.Action) (tenants.Site, tenants.Association, error) {
	x, err := s.o.Records.Site(c.UserContext(), c.Params("id"))
	if err != nil {
		return x, tenants.Association{}, hideNotFound(c, err)
	}
	a, err := s.o.Records.Association(c.UserContext(), x.AssociationID)
	if err != nil {
		return x, a, err
	}
	if err := s.authorize(c, act, a.Slug); err != nil {
		return x, a, err
	}
	if !x.State.Live() {
		return x, a, tenants.ErrNotFound // only its row is left
	}
	return x, a, nil
}

// findAssociation reads the association of the path and authorises the visitor for it.
func (s *Server) findAssociation(c *fiber.Ctx) (tenants.Association, error) {
	if err := s.authorize(c, tenants.ActAssociationShow, c.Params("slug")); err != nil {
		return tenants.Association{}, err
	}
	a, err := s.o.Records.AssociationBySlug(c.UserContext(), c.Params("slug"))
	if err == nil && a.State == tenants.AssociationDeleted {
		return a, tenants.ErrNotFound
	}
	return a, err
}

// findOperation reads the operation of the path and authorises the visitor for it. The association is empty for the
// co-op's own operations.
func (s *Server) findOperation(c *fiber.Ctx) (operations.Operation, tenants.Association, error) {
	op, err := s.o.Records.Operation(c.UserContext(), c.Params("id"))
	if err != nil {
		return op, tenants.Association{}, hideNotFound(c, err)
	}
	var a tenants.Association
	if op.AssociationID != "" {
		if a, err = s.o.Records.Association(c.UserContext(), op.AssociationID); err != nil {
			return op, a, err
		}
	}
	return op, a, s.authorize(c, tenants.ActOperationShow, a.Slug)
}

// hideNotFound replaces "not found" by "sign in" for visitors who are not signed in.
func hideNotFound(c *fiber.Ctx, err error) error {
	missing := errors.Is(err, tenants.ErrNotFound) || errors.Is(err, operations.ErrNotFound)
	if missing && visitorOf(c).Principal.Kind == tenants.KindAnonymous {
		return tenants.ErrUnauthenticated
	}
	return err
}

// may reports whether a page should offer an action. It protects nothing: the action is authorised when it is requested.
func may(c *fiber.Ctx, act tenants.Action, slug string) bool {
	return tenants.Authorize(visitorOf(c).Principal, act, slug) == nil
}

// scope is the set of associations that a visitor may see: their own, or all of them for volunteers.
type scope struct {
	ids  []string // nil: no bound
	byID map[string]tenants.Association
}

func (s *Server) scopeOf(ctx context.Context, p tenants.Principal) (scope, error) {
	if tenants.Authorize(p, tenants.ActSitesListAll, "") == nil {
		all, err := s.o.Records.Associations(ctx)
		return scope{byID: byID(all)}, err
	}
	slugs := slugsOf(p)
	if len(slugs) == 0 {
		return scope{ids: []string{}}, nil
	}
	own, err := s.o.Records.AssociationsBySlugs(ctx, slugs)
	return newScope(own...), err
}

func newScope(list ...tenants.Association) scope {
	k := scope{ids: []string{}, byID: byID(list)}
	for _, a := range list {
		k.ids = append(k.ids, a.ID)
	}
	return k
}

func byID(list []tenants.Association) map[string]tenants.Association {
	out := make(map[string]tenants.Association, len(list))
	for _, a := range list {
		out[a.ID] = a
	}
	return out
}

// sitesIn lists the sites of a scope. An empty scope has none, whatever the store returns for an empty list.
func (s *Server) sitesIn(ctx context.Context, k scope, states []tenants.SiteState, search string) ([]tenants.Site, error) {
	if k.ids != nil && len(k.ids) == 0 {
		return nil, nil
	}
	return s.o.Records.Sites(ctx, k.ids, states, search)
}

func (s *Server) operationsIn(ctx context.Context, k scope, f operations.Filter) ([]operations.Operation, error) {
	if k.ids != nil && len(k.ids) == 0 {
		return nil, nil
	}
	f.AssociationIDs = k.ids
	return s.o.Records.Operations(ctx, f)
}

// requestsToday is nil when the figures are not known now: a page without them is better than none.
func (s *Server) requestsToday(ctx context.Context, sites []tenants.Site) map[string]int64 {
	if len(sites) == 0 {
		return nil
	}
	ids := make([]string, len(sites))
	for i, x := range sites {
		ids[i] = x.ID
	}
	n, err := s.o.Records.RequestsToday(ctx, ids, s.now().In(s.paris))
	if err != nil {
		s.log.WarnContext(ctx, "requests of today not read", "error", err)
		return nil
	}
	if n == nil {
		n = map[string]int64{}
	}
	return n
}
