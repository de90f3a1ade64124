package panel

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

func (s *Server) associations(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAssociationsList, ""); err != nil {
		return err
	}
	all, err := s.liveAssociations(c.UserContext())
	if err != nil {
		return err
	}
	page := views.Associations{Base: s.base(c), Query: c.Query("q"), Total: len(all), Create: may(c, tenants.ActAssociationCreate, ""),
		Journal: may(c, tenants.ActAuditRead, "")}
	page.Associations, err = s.associationRows(c.UserContext(), matching(all, page.Query))
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, page)
}

// liveAssociations leaves out those whose creation was undone.
func (s *Server) liveAssociations(ctx context.Context) ([]tenants.Association, error) {
	all, err := s.o.Records.Associations(ctx)
	return slices.DeleteFunc(all, func(a tenants.Association) bool { return a.State == tenants.AssociationDeleted }), err
}

func matching(all []tenants.Association, query string) []tenants.Association {
	want := tenants.Slugify(query)
	if want == "" {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(a tenants.Association) bool {
		return !strings.Contains(a.Slug, want) && !strings.Contains(tenants.Slugify(a.Name), want)
	})
}

func (s *Server) associationRows(ctx context.Context, list []tenants.Association) ([]views.AssociationRow, error) {
	sites, err := s.o.Records.Sites(ctx, nil, listedStates, "")
	if err != nil {
		return nil, err
	}
	count, disk := map[string]int{}, map[string]int64{}
	for _, x := range sites {
		count[x.AssociationID]++
		disk[x.AssociationID] += x.DiskBytes
	}
	ids := make([]string, 0, len(list))
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	members, err := s.o.Records.MemberCounts(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]views.AssociationRow, 0, len(list))
	for _, a := range list {
		row := views.AssociationRow{Slug: a.Slug, Name: a.Name, Sites: count[a.ID], Members: members[a.ID], Creating: a.State == tenants.AssociationCreating}
		if disk[a.ID] > 0 {
			row.Disk = views.Known(disk[a.ID])
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (s *Server) association(c *fiber.Ctx) error {
	a, err := s.findAssociation(c)
	if err != nil {
		return err
	}
	k := newScope(a)
	sites, err := s.sitesIn(c.UserContext(), k, listedStates, "")
	if err != nil {
		return err
	}
	members, err := s.o.Records.Members(c.UserContext(), a.ID)
	if err != nil {
		return err
	}
	live, err := s.operationsIn(c.UserContext(), k, operations.Filter{LiveOnly: true, Limit: 1})
	if err != nil {
		return err
	}
	page := views.Association{
		Base: s.base(c), Slug: a.Slug, Name: a.Name, CreatedAt: a.CreatedAt, Sites: s.siteRows(c.UserContext(), k, sites),
		Members: membersOf(members, a.Slug, may(c, tenants.ActSessionsEnd, "")), MembersKnown: !visitorOf(c).Stale,
		Journal:    may(c, tenants.ActJournalShow, a.Slug),
		CreateSite: a.State == tenants.AssociationActive && may(c, tenants.ActSiteCreate, a.Slug),
	}
	for _, op := range live {
		row := operationRow(op, subjects(k, sites)(op))
		page.Running = &row
	}
	return s.render(c, fiber.StatusOK, page)
}

func membersOf(list []tenants.Member, slug string, linked bool) []views.Member {
	out := make([]views.Member, 0, len(list))
	for _, m := range list {
		row := views.Member{Name: m.Name, Username: m.Username, Manager: m.Memberships[slug] == tenants.RoleManager}
		if linked {
			row.Subject = m.Subject
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b views.Member) int {
		if a.Manager != b.Manager {
			if a.Manager {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out
}

func (s *Server) associationNew(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAssociationCreate, ""); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.NewAssociation{
		Base: s.base(c), Name: views.Field{Value: c.Query("name")}, Slug: views.Field{Value: c.Query("slug")}, Once: onceKey(),
	})
}

func (s *Server) associationCreate(c *fiber.Ctx) error {
	spec := provision.NewAssociation{Name: field(c, "name"), Slug: strings.TrimSpace(field(c, "slug"))}
	op, err := s.o.Provisioner.CreateAssociation(c.UserContext(), s.request(c, field(c, "once")), spec)
	var faults tenants.Faults
	if errors.As(err, &faults) {
		return s.associationInvalid(c, spec, faults)
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.OperationPath(op.ID))
}

// associationInvalid shows the form as it was filled in, with what is wrong under each field.
func (s *Server) associationInvalid(c *fiber.Ctx, spec provision.NewAssociation, faults tenants.Faults) error {
	page := views.NewAssociation{
		Base: s.base(c), Name: views.Field{Value: spec.Name}, Slug: views.Field{Value: spec.Slug}, Once: field(c, "once"),
	}
	for _, f := range faults {
		switch f.Field {
		case "name":
			page.Name.Problem = views.Problem(f.Code)
		case "slug":
			page.Slug.Problem, page.Proposal = views.Problem(f.Code), f.Proposal
		}
	}
	if page.Slug.Problem != "" && page.Name.Problem == "" {
		page.Proposal = s.freeSlug(c.UserContext(), cmp.Or(page.Proposal, spec.Slug, spec.Name))
	}
	return s.render(c, fiber.StatusUnprocessableEntity, page)
}

// proposals is how many names are tried before the form proposes none.
const proposals = 20

func (s *Server) freeSlug(ctx context.Context, typed string) string {
	base := tenants.Slugify(typed)
	for i := 1; i <= proposals && len(base) > 1; i++ {
		slug := base
		if i > 1 {
			slug += "-" + strconv.Itoa(i)
		}
		if _, err := s.o.Records.AssociationBySlug(ctx, slug); errors.Is(err, tenants.ErrNotFound) {
			return slug
		}
	}
	return ""
}

func (s *Server) apiAssociations(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAssociationsList, ""); err != nil {
		return err
	}
	all, err := s.liveAssociations(c.UserContext())
	if err != nil {
		return err
	}
	return c.JSON(listOf(all, associationOut))
}

func (s *Server) apiAssociation(c *fiber.Ctx) error {
	a, err := s.findAssociation(c)
	if err != nil {
		return err
	}
	return c.JSON(associationOut(a))
}

func (s *Server) apiAssociationCreate(c *fiber.Ctx) error {
	spec, err := body[api.NewAssociation](c)
	if err != nil {
		return err
	}
	op, err := s.o.Provisioner.CreateAssociation(c.UserContext(), s.request(c, c.Get(api.HeaderIdempotency)),
		provision.NewAssociation{Name: spec.Name, Slug: spec.Slug})
	return s.accepted(c, op, err)
}
