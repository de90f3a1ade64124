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
	"chatiere/tenants/egressgrant"
	"chatiere/tenants/provision"
)

// EgressGrants accepts requests for egress names and decisions on them. It authorises each by itself.
type EgressGrants interface {
	Ask(ctx context.Context, r provision.Request, siteID string, wish egressgrant.Request) (tenants.EgressGrant, error)
	Grant(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.EgressGrant, error)
	Refuse(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.EgressGrant, error)
	Revoke(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.EgressGrant, error)
}

// EgressRecords reads the sites' grants and egress attempts.
type EgressRecords interface {
	// SiteGrants returns a site's requests in all states, the newest first.
	SiteGrants(ctx context.Context, siteID string) ([]tenants.EgressGrant, error)
	// GrantsIn returns those of all sites in a state, the newest first.
	GrantsIn(ctx context.Context, state tenants.GrantState) ([]tenants.EgressGrant, error)
	// Attempts sums what a site tried since the day of that instant, the last first.
	Attempts(ctx context.Context, siteID string, since time.Time) ([]tenants.EgressAttempt, error)
}

// AllowedName is a name that a site may reach without a grant.
type AllowedName struct {
	Name  string
	Ports []int
	Coop  bool // by the co-op's configuration, for all sites; else by the site's template
}

// The page tells of a week, and of so many names of each kind.
const (
	attemptDays = 7
	attemptRows = 100
)

func (s *Server) siteEgress(c *fiber.Ctx) error {
	x, a, err := s.findSite(c, tenants.ActEgressShow)
	if err != nil {
		return err
	}
	wishes, err := s.o.Records.SiteGrants(c.UserContext(), x.ID)
	if err != nil {
		return err
	}
	tried, err := s.o.Records.Attempts(c.UserContext(), x.ID, s.now().AddDate(0, 0, 1-attemptDays))
	if err != nil {
		return err
	}
	page := views.SiteEgress{
		Base: s.base(c), ID: x.ID, Name: x.Name, Host: x.Host, Mine: visitorOf(c).Principal.RoleIn(a.Slug) != "", Days: attemptDays,
		Ask: may(c, tenants.ActAccessAsk, a.Slug), Decide: may(c, tenants.ActAccessGrant, a.Slug), Listed: s.allowedNames(x),
	}
	for _, w := range wishes {
		row := grantRow(w)
		switch w.State {
		case tenants.GrantAsked:
			page.Open = append(page.Open, row)
		case tenants.GrantGranted:
			page.Granted = append(page.Granted, row)
		default:
			page.Closed = append(page.Closed, row)
		}
	}
	for _, t := range tried {
		row := s.attemptRow(t, x, wishes)
		if t.Decision == tenants.EgressRefused {
			page.Refused = append(page.Refused, row)
		} else {
			page.Reached = append(page.Reached, row)
		}
	}
	page.Refused, page.Reached = page.Refused[:min(attemptRows, len(page.Refused))], page.Reached[:min(attemptRows, len(page.Reached))]
	return s.render(c, fiber.StatusOK, page)
}

// allowedNames returns the names that the site may reach without a grant; without its template the page omits them.
func (s *Server) allowedNames(x tenants.Site) []views.AllowedName {
	var out []views.AllowedName
	for _, l := range s.o.Catalogue.AllowedNames(x) {
		out = append(out, views.AllowedName{Name: l.Name, Ports: portsText(l.Ports), Coop: l.Coop})
	}
	return out
}

func portsText(ports []int) string { return strings.ReplaceAll(tenants.PortsText(ports), ",", ", ") }

func grantRow(a tenants.EgressGrant) views.Grant {
	w := views.Grant{
		ID: a.ID, Name: a.Name, Ports: portsText(a.Ports), Reason: a.Reason, State: views.GrantState(a.State),
		AskedBy: displayName(a.AskedBy), AskedAt: a.AskedAt, DecidedBy: displayName(a.DecidedBy), Answer: a.Answer,
	}
	if a.DecidedAt != nil {
		w.DecidedAt = *a.DecidedAt
	}
	return w
}

// displayName returns the name of a person as shown; root on the server has none.
func displayName(name string) string {
	if name == tenants.Local().Name {
		return views.OnServer
	}
	return name
}

// attemptRow renders an attempt, with a link to request the name if that would help and nobody has done so.
func (s *Server) attemptRow(t tenants.EgressAttempt, x tenants.Site, wishes []tenants.EgressGrant) views.AttemptRow {
	row := views.AttemptRow{
		Name: t.Name, Port: t.Port, Failed: t.Decision == tenants.EgressFailed, Reason: views.AttemptReasonOf(t.Reason), Count: t.Count,
		Bytes: t.Sent + t.Received, First: t.First, Last: t.Last,
	}
	if row.Reason == views.AttemptReached && t.Decision != tenants.EgressAllowed {
		row.Reason = views.AttemptOther
	}
	open := slices.ContainsFunc(wishes, func(a tenants.EgressGrant) bool {
		return a.State.Live() && a.Name == t.Name && (t.Port == 0 || slices.Contains(a.Ports, t.Port))
	})
	if _, fault := s.o.NamePolicy.Normalize(t.Name); fault == nil && !open && row.Reason.Listable() {
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

// usualPort is the default port of a request.
const usualPort = "443"

func (s *Server) accessAsk(c *fiber.Ctx) error {
	request := egressgrant.Request{Name: field(c, "name"), Ports: portsOf(field(c, "ports")), Reason: field(c, "reason")}
	a, err := s.o.Grants.Ask(c.UserContext(), s.request(c, ""), c.Params("id"), request)
	var faults tenants.Faults
	if errors.As(err, &faults) {
		return s.accessInvalid(c, faults)
	}
	if err != nil {
		return err
	}
	flash(c, views.FlashAccessAsked, a.Name)
	return seeOther(c, views.EgressPath(a.SiteID))
}

// portsOf parses "443, 587"; an invalid number becomes -1, which is reported as a fault.
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

// accessInvalid shows the form as it was filled in, with what is wrong under each field.
func (s *Server) accessInvalid(c *fiber.Ctx, faults tenants.Faults) error {
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

// decision is Grant, Refuse or Revoke of EgressGrants.
type decision func(ctx context.Context, r provision.Request, siteID, id, answer string) (tenants.EgressGrant, error)

func (s *Server) decide(c *fiber.Ctx, do decision, message views.FlashKind) error {
	a, err := do(c.UserContext(), s.request(c, ""), c.Params("id"), c.Params("access"), field(c, "answer"))
	if err != nil {
		return err
	}
	flash(c, message, a.Name)
	return seeOther(c, views.EgressPath(a.SiteID))
}

func (s *Server) accessGrant(c *fiber.Ctx) error {
	return s.decide(c, s.o.Grants.Grant, views.FlashAccessGranted)
}

func (s *Server) accessRefuse(c *fiber.Ctx) error {
	return s.decide(c, s.o.Grants.Refuse, views.FlashAccessRefused)
}

func (s *Server) accessRevoke(c *fiber.Ctx) error {
	return s.decide(c, s.o.Grants.Revoke, views.FlashAccessRevoked)
}

// askedNeeds returns the requests that wait for a volunteer.
func (s *Server) askedNeeds(c *fiber.Ctx, rows []views.SiteRow) []views.Need {
	open, err := s.o.Records.GrantsIn(c.UserContext(), tenants.GrantAsked)
	if err != nil {
		s.log.Warn("egress requests not read", "error", err)
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
