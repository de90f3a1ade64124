package panel

import (
	"cmp"
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// home is today's work for those who look after the co-op, and their own sites for everybody else.
func (s *Server) home(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAccount, ""); err != nil {
		return err
	}
	p := visitorOf(c).Principal
	k, err := s.scopeOf(c.UserContext(), p)
	if err != nil {
		return err
	}
	if k.ids != nil && len(k.ids) == 0 && p.CoopAdmin {
		return tenants.ErrStepUp // "your association has no site yet" would lead a volunteer astray
	}
	sites, err := s.sitesIn(c.UserContext(), k, listedStates, "")
	if err != nil {
		return err
	}
	rows := s.siteRows(c.UserContext(), k, sites)
	if k.ids != nil {
		return s.render(c, fiber.StatusOK, views.MySites{Base: s.base(c), Sites: rows, Create: may(c, tenants.ActSiteCreate, "")})
	}
	page, err := s.today(c, k, sites, rows)
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, page)
}

func (s *Server) siteRows(ctx context.Context, k scope, sites []tenants.Site) []views.SiteRow {
	requests := s.requestsToday(ctx, sites)
	rows := make([]views.SiteRow, 0, len(sites))
	for _, x := range sites {
		row := s.siteRow(x, k.byID[x.AssociationID], requests)
		// For those who may do something about it, where something can be done.
		row.Update = x.UpdateAvailable && x.State == tenants.StateReady && k.ids == nil
		rows = append(rows, row)
	}
	return rows
}

// homeSites is how many sites the home page shows.
const homeSites = 8

func (s *Server) today(c *fiber.Ctx, k scope, sites []tenants.Site, rows []views.SiteRow) (views.Today, error) {
	live, err := s.o.Records.Operations(c.UserContext(), operations.Filter{LiveOnly: true})
	if err != nil {
		return views.Today{}, err
	}
	page := views.Today{Base: s.base(c), SitesTotal: len(rows), AssociationsTotal: len(k.byID)}
	page.Needs = s.needs(c, rows)
	names := subjects(k, sites)
	for _, op := range live {
		if op.State == operations.Stuck || op.Problem == string(operations.CauseDiskFull) {
			page.Needs = append(page.Needs, views.Need{
				Kind: views.NeedOperation, Name: names(op), Path: views.OperationPath(op.ID), Cause: views.Cause(op.Problem), Since: op.CreatedAt,
			})
			continue
		}
		page.Running = append(page.Running, operationRow(op, names(op)))
	}
	for _, r := range rows {
		if r.State == views.SiteReady || r.State == views.SiteAsleep {
			page.SitesUp++
		}
	}
	worstFirst(rows)
	page.Sites = rows[:min(homeSites, len(rows))]
	return page, nil
}

func (s *Server) needs(c *fiber.Ctx, rows []views.SiteRow) []views.Need {
	var out []views.Need
	if seen, err := s.o.Records.WorkerSeen(c.UserContext()); err == nil && s.now().Sub(seen) > workerSilence {
		out = append(out, views.Need{Kind: views.NeedWorker, Since: seen})
	}
	if !s.provider.Alive(c.UserContext()) {
		out = append(out, views.Need{Kind: views.NeedIdentity})
	}
	if open, err := s.o.Records.Findings(c.UserContext(), tenants.FindingFilter{}); err == nil && slices.ContainsFunc(open, urgent) {
		out = append(out, views.Need{Kind: views.NeedFindings, Path: views.PathPlatform})
	}
	for _, r := range rows {
		if r.State == views.SiteDown {
			out = append(out, views.Need{Kind: views.NeedSiteDown, Name: r.Host, Path: views.SitePath(r.ID)})
		}
	}
	if n := outdated(rows); n > 0 {
		out = append(out, views.Need{Kind: views.NeedUpdates, Number: n, Path: views.PathSites})
	}
	return append(out, s.askedNeeds(c, rows)...)
}

func outdated(rows []views.SiteRow) int {
	n := 0
	for _, r := range rows {
		if r.Update {
			n++
		}
	}
	return n
}

// urgent findings are told on the first page.
func urgent(f tenants.Finding) bool { return f.Level != tenants.LevelNote }

// subjects names what operations work on, from what the page has read already.
func subjects(k scope, sites []tenants.Site) func(operations.Operation) string {
	hosts := make(map[string]string, len(sites))
	for _, x := range sites {
		hosts[x.ID] = x.Host
	}
	return func(op operations.Operation) string {
		if host := hosts[op.SiteID]; host != "" {
			return host
		}
		if a, ok := k.byID[op.AssociationID]; ok {
			return a.Name
		}
		return op.Subject
	}
}

var severity = map[views.SiteState]int{
	views.SiteDown: 0, views.SiteUnknown: 1, views.SiteCreating: 2, views.SiteChanging: 3, views.SiteSuspended: 4,
}

func worstFirst(rows []views.SiteRow) {
	rank := func(r views.SiteRow) int {
		if n, ok := severity[r.State]; ok {
			return n
		}
		return len(severity)
	}
	slices.SortStableFunc(rows, func(a, b views.SiteRow) int { return cmp.Compare(rank(a), rank(b)) })
}
