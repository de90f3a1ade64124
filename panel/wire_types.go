package panel

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// body decodes a JSON request. An unknown field is a fault: a mistyped name must not be a silent default. So are a name that
// stands twice and text that is none: two readers could take them for two things.
func body[T any](c *fiber.Ctx) (T, error) {
	var into T
	if !c.Is("json") {
		return into, fmt.Errorf("%w: Content-Type is not application/json", errMalformed)
	}
	if err := json.Unmarshal(c.Body(), &into, json.RejectUnknownMembers(true)); err != nil {
		return into, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return into, nil
}

// accepted answers a request with the operation that carries it out.
func (s *Server) accepted(c *fiber.Ctx, op operations.Operation, err error) error {
	if err != nil {
		return err
	}
	a, err := s.associationOf(c, op)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, api.Item(api.PathOperations, op.ID))
	return c.Status(fiber.StatusAccepted).JSON(operationOf(op, a.Slug, may(c, tenants.ActDoctor, "")))
}

func (s *Server) associationOf(c *fiber.Ctx, op operations.Operation) (tenants.Association, error) {
	if op.AssociationID == "" {
		return tenants.Association{}, nil
	}
	return s.o.Records.Association(c.UserContext(), op.AssociationID)
}

func listOf[From, To any](from []From, translate func(From) To) api.List[To] {
	list := api.List[To]{Items: make([]To, 0, len(from))}
	for _, x := range from {
		list.Items = append(list.Items, translate(x))
	}
	return list
}

func associationOut(a tenants.Association) api.Association {
	return api.Association{ID: a.ID, Slug: a.Slug, Name: a.Name, State: string(a.State), CreatedAt: a.CreatedAt}
}

func releaseOut(r tenants.Release) *api.Release {
	if r.ID == "" {
		return nil
	}
	out := &api.Release{
		Number: r.Number, Version: r.Version, Containers: []string{r.Front().Container}, Sockets: r.Sockets,
		Generation: r.Generation, CreatedAt: r.CreatedAt,
	}
	for _, c := range r.Containers {
		if !c.Front {
			out.Containers = append(out.Containers, c.Container)
		}
	}
	return out
}

func (s *Server) apiSiteOf(x tenants.Site, a tenants.Association, requests map[string]int64, admin bool) api.Site {
	out := api.Site{
		ID: x.ID, Association: a.Slug, Name: x.Name, Host: x.Host, URL: s.siteURL(x.Host), Template: x.Template, Version: x.Release.Version,
		Mode:  x.Release.Mode,
		State: string(x.State), Health: string(x.Probe.Health), CreatedAt: x.CreatedAt, BinnedAt: x.BinnedAt, DiskBytes: x.DiskBytes,
	}
	if !x.Probe.At.IsZero() {
		out.ProbedAt = &x.Probe.At
		out.Probe = &api.Probe{At: x.Probe.At, Health: string(x.Probe.Health)}
		if admin {
			out.Probe.Detail = x.Probe.Detail
		}
	}
	if admin {
		out.UpdateAvailable = &x.UpdateAvailable
		out.Release = releaseOut(x.Release)
	}
	if until, ok := x.PurgeableAt(); ok {
		out.PurgeAt = &until
	}
	if requests != nil {
		n := requests[x.ID]
		out.RequestsToday = &n
	}
	return out
}

// operationOf tells the cause in words only to those who can do something about it: it may hold paths and addresses.
func operationOf(op operations.Operation, slug string, admin bool) api.Operation {
	out := api.Operation{
		ID: op.ID, Kind: op.Kind, State: string(op.State), Association: slug, Site: op.SiteID, Cancel: op.Cancel, Problem: op.Problem,
		CreatedBy: op.CreatedBy, CreatedAt: op.CreatedAt, StartedAt: op.StartedAt, EndedAt: op.EndedAt,
	}
	if admin {
		out.Detail = op.Detail
	}
	out.Done, out.Total = op.Progress()
	for _, step := range op.Steps {
		s := api.Step{Name: step.Name, State: string(step.State), Attempt: step.Attempt, StartedAt: step.StartedAt, EndedAt: step.EndedAt}
		if step.Progress != nil {
			s.Progress = &api.Progress{Done: step.Progress.Done, Total: step.Progress.Total, Unit: step.Progress.Unit}
		}
		out.Steps = append(out.Steps, s)
	}
	return out
}

func apiToken(t auth.Token) api.Token {
	return api.Token{
		ID: t.ID, Label: t.Label, Scope: string(t.Scope), Admin: t.Admin, Maker: t.OwnerName, CreatedAt: t.CreatedAt,
		ExpiresAt: &t.ExpiresAt, UsedAt: t.UsedAt,
	}
}
