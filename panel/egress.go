package panel

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/access"
	"chatiere/tenants/provision"
)

// AccessDesk takes in wishes that a site may reach a name, and decisions on them. It authorises each by itself.
type AccessDesk interface {
	Ask(ctx context.Context, r provision.Request, siteID string, wish access.Wish) (tenants.Access, error)
	Grant(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.Access, error)
	Refuse(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.Access, error)
	Revoke(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.Access, error)
}

// WayOut reads what sites may reach, and what they tried.
type WayOut interface {
	// SiteAccess returns a site's wishes, whatever became of them, the newest first.
	SiteAccess(ctx context.Context, siteID string) ([]tenants.Access, error)
	// AccessIn returns those of all sites in a state, the newest first.
	AccessIn(ctx context.Context, state tenants.AccessState) ([]tenants.Access, error)
	// Tries sums what a site tried since the day of that instant, the last first.
	Tries(ctx context.Context, siteID string, since time.Time) ([]tenants.Try, error)
}

// Listed is a name that a site may reach without anybody's asking.
type Listed struct {
	Name  string
	Ports []int
	Coop  bool // by the co-op's configuration, for all sites; else by the site's template
}

// The page tells of a week, and of so many names of each kind.
const (
	triesDays = 7
	triesRows = 100
)

func (s *Server) siteEgress(c *fiber.Ctx) error {
	x, a, err := s.findSite(c, tenants.ActEgressShow)
	if err != nil {
		return err
	}
	wishes, err := s.o.Records.SiteAccess(c.UserContext(), x.ID)
	if err != nil {
		return err
	}
	tried, err := s.o.Records.Tries(c.UserContext(), x.ID, s.now().AddDate(0, 0, 1-triesDays))
	if err != nil {
		return err
	}
	page := views.SiteEgress{
		Base: s.base(c), ID: x.ID, Name: x.Name, Host: x.Host, Mine: visitorOf(c).Principal.RoleIn(a.Slug) != "", Days: triesDays,
		Ask: may(c, tenants.ActAccessAsk, a.Slug), Decide: may(c, tenants.ActAccessGrant, a.Slug), Listed: s.listed(x),
	}
	for _, w := range wishes {
		row := wishOf(w)
		switch w.State {
		case tenants.AccessAsked:
			page.Open = append(page.Open, row)
		case tenants.AccessGranted:
			page.Granted = append(page.Granted, row)
		default:
			page.Closed = append(page.Closed, row)
		}
	}
	for _, t := range tried {
		row := s.triedRow(t, x, wishes)
		if t.Decision == tenants.TryRefused {
			page.Refused = append(page.Refused, row)
		} else {
			page.Reached = append(page.Reached, row)
		}
	}
	page.Refused, page.Reached = page.Refused[:min(triesRows, len(page.Refused))], page.Reached[:min(triesRows, len(page.Reached))]
	return s.render(c, fiber.StatusOK, page)
}

// listed is what the site may reach in any case; a template that is away costs the page that part alone.
func (s *Server) listed(x tenants.Site) []views.Listed {
	var out []views.Listed
	for _, l := range s.o.Catalogue.Listed(x) {
		out = append(out, views.Listed{Name: l.Name, Ports: portsText(l.Ports), Coop: l.Coop})
	}
	return out
}

func portsText(ports []int) string { return strings.ReplaceAll(tenants.PortsText(ports), ",", ", ") }

func wishOf(a tenants.Access) views.Wish {
	w := views.Wish{
		ID: a.ID, Name: a.Name, Ports: portsText(a.Ports), Reason: a.Reason, State: views.WishState(a.State),
		AskedBy: person(a.AskedBy), AskedAt: a.AskedAt, DecidedBy: person(a.DecidedBy), Answer: a.Answer,
	}
	if a.DecidedAt != nil {
		w.DecidedAt = *a.DecidedAt
	}
	return w
}

// person names whoever asked or decided; whoever sits at the server has no name.
func person(name string) string {
	if name == tenants.Local().Name {
		return views.OnServer
	}
	return name
}

// triedRow offers to ask for what was refused for want of a name on the list, unless somebody has asked already.
func (s *Server) triedRow(t tenants.Try, x tenants.Site, wishes []tenants.Access) views.Tried {
	row := views.Tried{
		Name: t.Name, Port: t.Port, Failed: t.Decision == tenants.TryFailed, Reason: views.TryReasonOf(t.Reason), Count: t.Count,
		Bytes: t.Sent + t.Received, First: t.First, Last: t.Last,
	}
	if row.Reason == views.TryReached && t.Decision != tenants.TryAllowed {
		row.Reason = views.TryOther
	}
	open := slices.ContainsFunc(wishes, func(a tenants.Access) bool {
		return a.State.Live() && a.Name == t.Name && (t.Port == 0 || slices.Contains(a.Ports, t.Port))
	})
	if _, fault := s.o.Reachable.Normalize(t.Name); fault == nil && !open && row.Reason.Listable() {
		row.AskPath = views.AskPath(x.ID, t.Name, t.Port)
	}
	return row
}

func (s *Server) accessNew(c *fiber.Ctx) error {
	x, _, err := s.findSite(c, tenants.ActAccessAsk)
	if err != nil {
		return err
	}
	ports := c.Query("port")
	if ports == "" || ports == "0" {
		ports = usualPort
	}
	return s.render(c, fiber.StatusOK, views.AskAccess{
		Base: s.base(c), ID: x.ID, Host: x.Host, Name: views.Field{Value: c.Query("name")}, Ports: views.Field{Value: ports},
	})
}

// usualPort is what a name without a port is asked for.
const usualPort = "443"

func (s *Server) accessAsk(c *fiber.Ctx) error {
	wish := access.Wish{Name: field(c, "name"), Ports: portsOf(field(c, "ports")), Reason: field(c, "reason")}
	a, err := s.o.Access.Ask(c.UserContext(), s.request(c, ""), c.Params("id"), wish)
	var faults tenants.Faults
	if errors.As(err, &faults) {
		return s.accessAgain(c, faults)
	}
	if err != nil {
		return err
	}
	flash(c, views.FlashAccessAsked, a.Name)
	return seeOther(c, views.EgressPath(a.SiteID))
}

// portsOf reads "443, 587"; what is no number becomes one that no port has, and so a fault.
func portsOf(text string) []int {
	var ports []int
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\t' }) {
		n, err := strconv.Atoi(word)
		if err != nil {
			n = -1
		}
		ports = append(ports, n)
	}
	return ports
}

// accessAgain shows the form as it was filled in, with what is wrong under each field.
func (s *Server) accessAgain(c *fiber.Ctx, faults tenants.Faults) error {
	x, _, err := s.findSite(c, tenants.ActAccessAsk)
	if err != nil {
		return err
	}
	page := views.AskAccess{
		Base: s.base(c), ID: x.ID, Host: x.Host, Name: views.Field{Value: field(c, "name")}, Ports: views.Field{Value: field(c, "ports")},
		Reason: views.Field{Value: field(c, "reason")},
	}
	fields := map[string]*views.Field{"name": &page.Name, "ports": &page.Ports, "reason": &page.Reason}
	for _, f := range faults {
		if at := fields[f.Field]; at != nil {
			at.Problem = views.Problem(f.Code)
		}
	}
	return s.render(c, fiber.StatusUnprocessableEntity, page)
}

// verdict is one of the desk's decisions.
type verdict func(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.Access, error)

func (s *Server) decide(c *fiber.Ctx, do verdict, told views.FlashKind) error {
	a, err := do(c.UserContext(), s.request(c, ""), c.Params("id"), c.Params("access"), field(c, "answer"))
	if err != nil {
		return err
	}
	flash(c, told, a.Name)
	return seeOther(c, views.EgressPath(a.SiteID))
}

func (s *Server) accessGrant(c *fiber.Ctx) error {
	return s.decide(c, s.o.Access.Grant, views.FlashAccessGranted)
}

func (s *Server) accessRefuse(c *fiber.Ctx) error {
	return s.decide(c, s.o.Access.Refuse, views.FlashAccessRefused)
}

func (s *Server) accessRevoke(c *fiber.Ctx) error {
	return s.decide(c, s.o.Access.Revoke, views.FlashAccessRevoked)
}

// askedNeeds are wishes that wait for a volunteer.
func (s *Server) askedNeeds(c *fiber.Ctx, rows []views.SiteRow) []views.Need {
	open, err := s.o.Records.AccessIn(c.UserContext(), tenants.AccessAsked)
	if err != nil {
		s.log.Warn("wishes for access not read", "error", err)
		return nil
	}
	since := map[string]time.Time{}
	for _, a := range open { // the newest first: the oldest stays
		since[a.SiteID] = a.AskedAt
	}
	var out []views.Need
	for _, r := range rows {
		if at, asked := since[r.ID]; asked {
			out = append(out, views.Need{Kind: views.NeedAccess, Name: r.Host, Path: views.EgressPath(r.ID), Since: at})
		}
	}
	return out
}
