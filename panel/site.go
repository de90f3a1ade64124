package panel

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

func (s *Server) sites(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActSitesListAll, ""); err != nil {
		return err
	}
	k, err := s.scopeOf(c.UserContext(), visitorOf(c).Principal)
	if err != nil {
		return err
	}
	page := views.Sites{Base: s.base(c), Query: c.Query("q"), Create: may(c, tenants.ActSiteCreate, "")}
	found, err := s.sitesIn(c.UserContext(), k, listedStates, page.Query)
	if err != nil {
		return err
	}
	page.Sites, page.Total = s.siteRows(c.UserContext(), k, found), len(found)
	if page.Query != "" {
		all, err := s.sitesIn(c.UserContext(), k, listedStates, "")
		if err != nil {
			return err
		}
		page.Total = len(all)
	}
	return s.render(c, fiber.StatusOK, page)
}

// historyLength is how many operations a site's page shows.
const historyLength = 20

func (s *Server) site(c *fiber.Ctx) error {
	x, a, err := s.findSite(c, tenants.ActSiteShow)
	if err != nil {
		return err
	}
	members, err := s.o.Records.Members(c.UserContext(), a.ID)
	if err != nil {
		return err
	}
	history, err := s.o.Records.Operations(c.UserContext(), operations.Filter{SiteID: x.ID, Limit: historyLength})
	if err != nil {
		return err
	}
	page := views.Site{
		Base: s.base(c), SiteRow: s.siteRow(x, a, s.requestsToday(c.UserContext(), []tenants.Site{x})),
		Mine:      visitorOf(c).Principal.RoleIn(a.Slug) != "",
		CheckedAt: x.Probe.At, CreatedAt: x.CreatedAt, People: peopleOf(members, a.Slug),
		May: allowedActs(c, x, a), Technical: s.technical(c, x), Findings: s.siteFindings(c, x, a),
		Backups: s.siteBackups(c, x, a, history),
		Mail:    s.siteMail(c, x, a),
		Egress:  may(c, tenants.ActEgressShow, a.Slug),
	}
	if modes := s.modes(x.Template); modes != nil {
		page.Mode = x.Release.Mode
		if x.State == tenants.StateReady && may(c, tenants.ActSiteUpdate, a.Slug) {
			page.Modes = slices.DeleteFunc(slices.Clone(modes), func(mode string) bool { return mode == page.Mode })
		}
	}
	page.BinnedUntil, _ = x.PurgeableAt()
	for _, op := range history {
		row := operationRow(op, x.Host)
		if page.Running == nil && !op.State.Ended() && op.Kind != provision.KindSiteBackup { // which leaves the site free
			page.Running = &row
			page.May, page.Modes = views.SiteActs{}, nil // one operation at a time
		}
		page.History = append(page.History, row)
	}
	page.May.Enter = s.offersEntry(c, x, a)
	return s.render(c, fiber.StatusOK, page)
}

func peopleOf(members []tenants.Member, slug string) views.People {
	p := views.People{Total: len(members)}
	for _, m := range members {
		if m.Memberships[slug] == tenants.RoleManager {
			p.Managers++
		}
	}
	return p
}

// allowedActs returns the actions that the site's state and the visitor's rights allow; each is authorised again when
// requested.
func allowedActs(c *fiber.Ctx, x tenants.Site, a tenants.Association) views.SiteActs {
	ready, suspended, binned := x.State == tenants.StateReady, x.State == tenants.StateSuspended, x.State == tenants.StateBinned
	return views.SiteActs{
		Suspend: ready && may(c, tenants.ActSiteSuspend, a.Slug),
		Update:  ready && x.UpdateAvailable && may(c, tenants.ActSiteUpdate, a.Slug),
		Resume:  suspended && may(c, tenants.ActSiteResume, a.Slug),
		Delete:  (ready || suspended) && may(c, tenants.ActSiteDelete, a.Slug),
		Restore: binned && provision.AuthorizeChange(visitorOf(c).Principal, tenants.ActSiteRestore, a.Slug, x) == nil,
		Purge:   binned && may(c, tenants.ActSitePurge, a.Slug),
	}
}

// technical returns details for volunteers.
func (s *Server) technical(c *fiber.Ctx, x tenants.Site) *views.Technical {
	if s.o.Sites.Instance == "" || !may(c, tenants.ActDoctor, "") {
		return nil
	}
	return &views.Technical{
		Version: x.Release.Version, UID: x.UID, Container: x.Release.Front().Container, Database: x.Database(),
		DataPath: s.o.Sites.DataRoot + "/sites/" + x.ID, MemoryMiB: s.o.Sites.MemoryMiB,
	}
}

func (s *Server) bin(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAccount, ""); err != nil {
		return err
	}
	k, err := s.scopeOf(c.UserContext(), visitorOf(c).Principal)
	if err != nil {
		return err
	}
	found, err := s.sitesIn(c.UserContext(), k, []tenants.SiteState{tenants.StateBinned}, "")
	if err != nil {
		return err
	}
	page := views.Bin{Base: s.base(c), Days: binDays}
	for _, x := range found {
		row, err := s.binned(c, x, k.byID[x.AssociationID])
		if err != nil {
			return err
		}
		page.Sites = append(page.Sites, row)
	}
	return s.render(c, fiber.StatusOK, page)
}

const binDays = int(tenants.BinPeriod / (24 * 60 * 60 * 1e9))

func (s *Server) binned(c *fiber.Ctx, x tenants.Site, a tenants.Association) (views.BinnedSite, error) {
	offered := allowedActs(c, x, a)
	row := views.BinnedSite{ID: x.ID, Name: x.Name, Host: x.Host, Association: a.Name, Restore: offered.Restore, Purge: offered.Purge}
	row.ByCoop = x.BinnedBy != tenants.SideAssociation && !row.Restore && may(c, tenants.ActSiteRestore, a.Slug)
	row.Until, _ = x.PurgeableAt()
	if x.BinnedAt != nil {
		row.BinnedAt = *x.BinnedAt
	}
	if x.DiskBytes > 0 {
		row.Disk = views.Known(x.DiskBytes)
	}
	history, err := s.o.Records.Operations(c.UserContext(), operations.Filter{SiteID: x.ID, Limit: historyLength})
	for _, op := range history {
		if op.Kind == provision.KindSiteDelete {
			row.BinnedBy = op.CreatedBy
			break
		}
	}
	return row, err
}
