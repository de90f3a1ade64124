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

// once makes two clicks on one form one wish.
func once() string { return rand.Text() }

func (s *Server) siteNew(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActSiteCreate, ""); err != nil {
		return err
	}
	page, err := s.siteForm(c, provision.NewSite{
		Association: c.Query("association"), Template: c.Query("template"), Name: c.Query("name"), Host: c.Query("host"),
	}, once())
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, page)
}

func (s *Server) siteForm(c *fiber.Ctx, wish provision.NewSite, once string) (views.NewSite, error) {
	page := views.NewSite{
		Base: s.base(c), Suffix: "." + s.o.SitesDomain, Port: s.port(), Once: once,
		Association: views.Field{Value: wish.Association}, Template: views.Field{Value: wish.Template},
		Name: views.Field{Value: wish.Name}, Host: views.Field{Value: s.label(wish.Host)},
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
		page.Templates = append(page.Templates, views.TemplateChoice{Value: t.Name, Name: t.Title, Summary: summary(t, middleware.LanguageOf(c))})
	}
	return page, nil
}

func summary(t Template, lang string) string {
	return cmp.Or(t.Summary[lang], t.Summary[views.English])
}

// label is the part of a host that people type.
func (s *Server) label(host string) string { return strings.TrimSuffix(host, "."+s.o.SitesDomain) }

func (s *Server) siteCreate(c *fiber.Ctx) error {
	wish := provision.NewSite{
		Association: field(c, "association"), Template: field(c, "template"), Name: field(c, "name"), Host: field(c, "host"),
	}
	op, err := s.o.Desk.CreateSite(c.UserContext(), s.request(c, field(c, "once")), wish)
	var faults tenants.Faults
	switch {
	case errors.As(err, &faults):
		return s.siteAgain(c, wish, faults)
	case err != nil:
		return err
	}
	return seeOther(c, views.OperationPath(op.ID))
}

// siteAgain shows the form as it was filled in, with what is wrong under each field and a free address.
func (s *Server) siteAgain(c *fiber.Ctx, wish provision.NewSite, faults tenants.Faults) error {
	page, err := s.siteForm(c, wish, field(c, "once"))
	if err != nil {
		return err
	}
	fields := map[string]*views.Field{"association": &page.Association, "template": &page.Template, "name": &page.Name, "host": &page.Host}
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
		page.TakenBy = s.takenBy(c.UserContext(), wish.Host)
	}
	return s.render(c, fiber.StatusUnprocessableEntity, page)
}

// takenBy names who has a host. Only those who may see every site get as far as this form.
func (s *Server) takenBy(ctx context.Context, typed string) string {
	host := s.label(strings.ToLower(strings.TrimSpace(typed))) + "." + s.o.SitesDomain
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
