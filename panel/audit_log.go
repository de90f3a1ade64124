package panel

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/views"
	"chatiere/tenants"
)

const (
	journalPage = 50
	apiPage     = 100
	mostOfPage  = 1000
)

// auditLog shows the co-op's whole audit log.
func (s *Server) auditLog(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAuditRead, ""); err != nil {
		return err
	}
	all, err := s.o.Records.Associations(c.UserContext())
	if err != nil {
		return err
	}
	page := views.AuditLog{Base: s.base(c), Path: views.PathJournal, Whole: true, Association: c.Query("association")}
	only := ""
	for _, a := range all {
		if a.State == tenants.AssociationDeleted {
			continue
		}
		page.Associations = append(page.Associations, views.Choice{Value: a.Slug, Label: a.Name})
		if a.Slug == page.Association {
			only = a.ID
		}
	}
	if only == "" {
		page.Association = ""
	}
	return s.renderAuditLog(c, page, only, byID(all))
}

// associationAuditLog shows the entries about one association to its managers.
func (s *Server) associationAuditLog(c *fiber.Ctx) error {
	a, err := s.findAuditLog(c, c.Params("slug"))
	if err != nil {
		return err
	}
	page := views.AuditLog{Base: s.base(c), Path: views.JournalPath(a.Slug), Name: a.Name, Back: views.AssociationPath(a.Slug)}
	return s.renderAuditLog(c, page, a.ID, map[string]tenants.Association{a.ID: a})
}

// findAuditLog reads the association of the request and authorises the visitor for its audit log.
func (s *Server) findAuditLog(c *fiber.Ctx, slug string) (tenants.Association, error) {
	if err := s.authorize(c, tenants.ActJournalShow, slug); err != nil {
		return tenants.Association{}, err
	}
	return s.o.Records.AssociationBySlug(c.UserContext(), slug)
}

// renderAuditLog renders the page. Only volunteers see addresses and technical details.
func (s *Server) renderAuditLog(c *fiber.Ctx, page views.AuditLog, association string, known map[string]tenants.Association) error {
	ctx := c.UserContext()
	page.Person, page.Act, page.From, page.To = c.Query("person"), c.Query("act"), c.Query("from"), c.Query("to")
	f := s.auditFilter(c, association)
	f.Limit = journalPage + 1
	rows, err := s.o.Records.AuditEntries(ctx, f)
	if err != nil {
		return err
	}
	if len(rows) > journalPage {
		rows = rows[:journalPage]
		page.Next = page.Link(cursorOf(rows[journalPage-1]))
	}
	page.Later = c.Query("before") != ""
	hosts, err := s.auditedHosts(ctx, rows)
	if err != nil {
		return err
	}
	for _, e := range rows {
		page.Rows = append(page.Rows, auditRow(e, known[e.AssociationID], hosts[e.SiteID], page.Whole))
	}
	if page.People, err = s.o.Records.AuditActors(ctx, association); err != nil {
		return err
	}
	acts, err := s.o.Records.AuditActions(ctx, association)
	for _, a := range acts {
		page.Acts = append(page.Acts, views.AuditAct(a))
	}
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, page)
}

func auditRow(e tenants.AuditEntry, a tenants.Association, host string, whole bool) views.AuditRow {
	row := views.AuditRow{
		ID: e.ID, At: e.At, Who: e.ActorName, Kind: views.ActorKind(e.ActorKind), Act: views.AuditAct(e.Action),
		Association: a.Name, Slug: a.Slug, Site: host, SiteID: e.SiteID,
	}
	if whole {
		row.Address, row.Detail, row.Operation = e.Address, e.Detail, e.OperationID
		if e.ActorKind == tenants.KindPerson {
			row.Subject = e.ActorID
		}
	}
	return row
}

// auditedHosts names the sites of a page; those that are gone keep their ids.
func (s *Server) auditedHosts(ctx context.Context, rows []tenants.AuditEntry) (map[string]string, error) {
	ids := map[string]bool{}
	for _, e := range rows {
		if e.SiteID != "" {
			ids[e.AssociationID] = true
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	list := make([]string, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	sites, err := s.o.Records.Sites(ctx, list, nil, "")
	hosts := make(map[string]string, len(sites))
	for _, x := range sites {
		hosts[x.ID] = x.Host
	}
	return hosts, err
}

// auditFilter reads what is asked for; what cannot be read narrows nothing, since a list that shows more is seen to.
func (s *Server) auditFilter(c *fiber.Ctx, association string) tenants.AuditFilter {
	f := tenants.AuditFilter{
		AssociationID: association, ActorName: strings.TrimSpace(c.Query("person")), Action: c.Query("act"), Before: cursor(c.Query("before")),
	}
	if day, err := time.ParseInLocation(time.DateOnly, c.Query("from"), s.paris); err == nil {
		f.From = day
	}
	if day, err := time.ParseInLocation(time.DateOnly, c.Query("to"), s.paris); err == nil {
		f.To = day.AddDate(0, 0, 1)
	}
	return f
}

// cursorOf writes an entry's place as a page's address carries it.
func cursorOf(e tenants.AuditEntry) string {
	return strconv.FormatInt(e.At.UnixMicro(), 10) + "-" + strconv.FormatInt(e.ID, 10)
}

func cursor(text string) tenants.AuditCursor {
	at, id, _ := strings.Cut(text, "-")
	micro, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return tenants.AuditCursor{}
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return tenants.AuditCursor{}
	}
	return tenants.AuditCursor{At: time.UnixMicro(micro).UTC(), ID: n}
}

func (s *Server) apiAudit(c *fiber.Ctx) error {
	whole, association := true, ""
	known := map[string]tenants.Association{}
	if slug := c.Query("association"); slug != "" {
		a, err := s.findAuditLog(c, slug)
		if err != nil {
			return err
		}
		association, known[a.ID], whole = a.ID, a, may(c, tenants.ActAuditRead, "")
	} else {
		if err := s.authorize(c, tenants.ActAuditRead, ""); err != nil {
			return err
		}
		all, err := s.o.Records.Associations(c.UserContext())
		if err != nil {
			return err
		}
		known = byID(all)
	}
	return s.answerAudit(c, s.auditFilter(c, association), known, whole)
}

func (s *Server) answerAudit(c *fiber.Ctx, f tenants.AuditFilter, known map[string]tenants.Association, whole bool) error {
	asked := c.QueryInt("limit", apiPage)
	if asked < 1 || asked > mostOfPage {
		return errMalformed
	}
	f.Limit = asked
	rows, err := s.o.Records.AuditEntries(c.UserContext(), f)
	if err != nil {
		return err
	}
	out := api.AuditPage{Items: make([]api.AuditEntry, 0, len(rows))}
	for _, e := range rows {
		out.Items = append(out.Items, auditOut(e, known, whole))
	}
	if len(rows) == asked {
		out.Next = url.QueryEscape(cursorOf(rows[asked-1]))
	}
	return c.JSON(out)
}

func auditOut(e tenants.AuditEntry, known map[string]tenants.Association, whole bool) api.AuditEntry {
	out := api.AuditEntry{
		ID: e.ID, At: e.At, Kind: string(e.ActorKind), Name: e.ActorName, Act: e.Action, Association: e.AssociationID, Site: e.SiteID,
	}
	if a, ok := known[e.AssociationID]; ok {
		out.Association = a.Slug
	}
	if whole {
		out.Actor, out.Address, out.Operation, out.Detail = e.ActorID, e.Address, e.OperationID, e.Detail
	}
	return out
}
