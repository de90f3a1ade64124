package panel

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// onceKey returns an idempotency key, so that two clicks on one form are one request.
func onceKey() string { return rand.Text() }

func (s *Server) siteNew(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActSiteCreate, ""); err != nil {
		return err
	}
	page, err := s.siteForm(c, provision.NewSite{
		Association: c.Query("association"), Template: c.Query("template"), Mode: c.Query("mode"), Name: c.Query("name"), Host: c.Query("host"),
	}, onceKey())
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, page)
}

func (s *Server) siteForm(c *fiber.Ctx, spec provision.NewSite, once string) (views.NewSite, error) {
	page := views.NewSite{
		Base: s.base(c), Suffix: "." + s.o.Sites.Domain, Port: s.port(), Once: once,
		Association: views.Field{Value: spec.Association}, Template: views.Field{Value: spec.Template}, Mode: views.Field{Value: spec.Mode},
		Name: views.Field{Value: spec.Name}, Host: views.Field{Value: s.label(spec.Host)},
	}
	all, err := s.o.Records.Associations(c.UserContext())
	if err != nil {
		return page, err
	}
	for _, a := range all {
		if a.State == tenants.AssociationActive {
			page.Associations = append(page.Associations, views.Choice{Value: a.Slug, Label: a.Name})
		}
	}
	slices.SortFunc(page.Associations, func(a, b views.Choice) int { return cmp.Compare(a.Label, b.Label) })
	for _, t := range s.o.Catalogue.Templates() {
		page.Templates = append(page.Templates, views.TemplateChoice{Value: t.Name, Name: t.Title, Summary: summary(t, middleware.LanguageOf(c)), Modes: t.Modes})
	}
	return page, nil
}

func summary(t Template, lang string) string {
	return cmp.Or(t.Summary[lang], t.Summary[views.English])
}

// label is the part of a host that people type.
func (s *Server) label(host string) string { return strings.TrimSuffix(host, "."+s.o.Sites.Domain) }

func (s *Server) siteCreate(c *fiber.Ctx) error {
	spec := provision.NewSite{
		Association: field(c, "association"), Template: field(c, "template"), Mode: field(c, "mode"), Name: field(c, "name"), Host: field(c, "host"),
	}
	op, err := s.o.Provisioner.CreateSite(c.UserContext(), s.request(c, field(c, "once")), spec)
	var faults tenants.Faults
	switch {
	case errors.As(err, &faults):
		return s.siteInvalid(c, spec, faults)
	case err != nil:
		return err
	}
	return seeOther(c, views.OperationPath(op.ID))
}

// siteInvalid shows the form again with the faults of each field and a free address.
func (s *Server) siteInvalid(c *fiber.Ctx, spec provision.NewSite, faults tenants.Faults) error {
	page, err := s.siteForm(c, spec, field(c, "once"))
	if err != nil {
		return err
	}
	fields := map[string]*views.Field{"association": &page.Association, "template": &page.Template, "mode": &page.Mode, "name": &page.Name, "host": &page.Host}
	known := false
	for _, f := range faults {
		if into := fields[f.Field]; into != nil {
			into.Problem, known = views.Problem(f.Code), true
		}
		if f.Field == "host" {
			page.Proposal = s.label(f.Proposal)
		}
	}
	if !known {
		return faults // about something this form does not ask for
	}
	if page.Host.Problem == views.ProblemTaken {
		page.TakenBy = s.takenBy(c.UserContext(), spec.Host)
	}
	return s.render(c, fiber.StatusUnprocessableEntity, page)
}

// takenBy returns the name of the association that has a host. Only volunteers reach this form.
func (s *Server) takenBy(ctx context.Context, typed string) string {
	host, fault := tenants.Hosts{Domain: s.o.Sites.Domain}.Normalize(typed)
	if fault != nil {
		return ""
	}
	found, err := s.o.Records.Sites(ctx, nil, nil, host)
	if err != nil {
		return ""
	}
	for _, x := range found {
		if x.Host == host && x.State.Live() {
			a, err := s.o.Records.Association(ctx, x.AssociationID)
			if err == nil {
				return a.Name
			}
		}
	}
	return ""
}
