package panel

import (
	"errors"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/auth"
	"chatiere/panel/middleware"
	"chatiere/tenants"
	"chatiere/tenants/identity/assertion"
)

// Entries signs for people who enter the administration of a site.
type Entries interface {
	Enter(e assertion.Entry) (string, error)
}

// enterable returns where a site lets people in who come from here; "" when it does not, or not now.
func (s *Server) enterable(x tenants.Site) string {
	if s.o.Entry.Issuer == nil || x.State != tenants.StateReady {
		return ""
	}
	for _, t := range s.o.Catalogue.Templates() {
		if t.Name == x.Template {
			return t.Entry
		}
	}
	return ""
}

// offersEntry reports whether the page offers entry, and allows its form to lead to the site: browsers apply the page's
// policy to every redirect of a form.
func (s *Server) offersEntry(c *fiber.Ctx, x tenants.Site, a tenants.Association) bool {
	if s.enterable(x) == "" || !isPerson(visitorOf(c)) || !may(c, tenants.ActSiteEnter, a.Slug) {
		return false
	}
	middleware.AllowForm(c, originOf(s.siteURL(x.Host)))
	return true
}

// isPerson is false for break-glass: whoever uses that has no name, and a site would make an account for nobody.
func isPerson(v visitor) bool {
	return v.Session != nil && v.Session.Kind == auth.KindIdentity
}

// stillMayEnter checks the records as well: the worker reads the directory more often than a session does, and sites end the
// sessions of whoever is not in the records.
func (s *Server) stillMayEnter(c *fiber.Ctx, slug string) error {
	v := visitorOf(c)
	m, err := s.o.SignIn.People.Person(c.UserContext(), v.Principal.ID)
	if errors.Is(err, tenants.ErrNotFound) {
		return tenants.ErrForbidden
	}
	if err != nil {
		return err
	}
	p := v.Principal
	p.CoopAdmin, p.Memberships = m.CoopAdmin, m.Memberships
	return tenants.Authorize(p, tenants.ActSiteEnter, slug)
}

// siteEnter sends a person to the site's administration with an assertion in the address. Without its line in the audit
// trail nobody enters.
func (s *Server) siteEnter(c *fiber.Ctx) error {
	x, a, err := s.findSite(c, tenants.ActSiteEnter)
	if err != nil {
		return err
	}
	v := visitorOf(c)
	if !isPerson(v) {
		return tenants.ErrForbidden
	}
	if err := s.stillMayEnter(c, a.Slug); err != nil {
		return err
	}
	path := s.enterable(x)
	if path == "" {
		return tenants.ErrConflict
	}
	token, err := s.o.Entry.Issuer.Enter(assertion.Entry{
		SiteID: x.ID, Host: x.Host, Issuer: s.o.SignIn.Identity.Issuer, Subject: v.Principal.ID, Name: v.Principal.Name, Email: v.Principal.Email,
		Role: assertion.Administrator, Former: s.o.Entry.Former[v.Principal.ID],
	})
	if err != nil {
		return err
	}
	err = s.o.Records.Audit(c.UserContext(), tenants.AuditEntry{
		At: s.now().UTC(), ActorKind: v.Principal.Kind, ActorID: v.Principal.ID, ActorName: v.Principal.Name, Address: v.Address,
		Action: string(tenants.ActSiteEnter), AssociationID: a.ID, SiteID: x.ID, Detail: "as " + string(assertion.Administrator),
	})
	if err != nil {
		return err
	}
	to := url.URL{Scheme: "https", Host: x.Host + s.port(), Path: path, RawQuery: url.Values{"token": {token}}.Encode()}
	return seeOther(c, to.String())
}
