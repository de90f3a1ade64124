package panel

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/auth"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
)

func (s *Server) account(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAccount, ""); err != nil {
		return err
	}
	page, err := s.accountPage(c)
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, page)
}

func (s *Server) accountPage(c *fiber.Ctx) (views.Account, error) {
	v := visitorOf(c)
	x := *v.Session
	page := views.Account{
		Base: s.base(c), Username: x.Username, Email: x.Email, IdentityURL: s.o.SignIn.AccountURL,
		MayTokens: x.Kind == auth.KindIdentity, Scopes: []views.Scope{views.ScopeRead, views.ScopeWrite}, Days: views.Field{Value: "90"},
		Session: views.Session{
			Since: x.CreatedAt, Until: x.ExpiresAt, Second: x.SecondFactor(), RightsAt: x.RightsAt, RightsStale: v.Stale,
			BreakGlass: x.Kind == auth.KindBreakGlass, IdleMinutes: int(s.o.SignIn.Limits.WithDefaults().Idle / time.Minute),
		},
	}
	open, err := s.sessions.List(c.UserContext(), x.Subject)
	if err != nil {
		return page, err
	}
	page.Sessions = sessionRows(open, x.Hash)
	if page.Rights, err = s.rights(c, v.Principal); err != nil {
		return page, err
	}
	list, err := s.tokens.List(c.UserContext(), v.Principal)
	for _, t := range list {
		row := views.Token{ID: t.ID, Label: t.Label, Scope: views.Scope(t.Scope), CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
		if t.UsedAt != nil {
			row.UsedAt = *t.UsedAt
		}
		page.Tokens = append(page.Tokens, row)
	}
	return page, err
}

func (s *Server) rights(c *fiber.Ctx, p tenants.Principal) ([]views.Right, error) {
	var out []views.Right
	if p.CoopAdmin {
		out = append(out, views.Right{Role: views.RoleAdmin})
	}
	slugs := slugsOf(p)
	if len(slugs) == 0 {
		return out, nil
	}
	list, err := s.o.Records.AssociationsBySlugs(c.UserContext(), slugs)
	for _, a := range list {
		role := views.RoleMember
		if p.RoleIn(a.Slug) == tenants.RoleManager {
			role = views.RoleManager
		}
		out = append(out, views.Right{Role: role, Association: a.Name, Slug: a.Slug})
	}
	return out, err
}

// tokenCreate answers with the secret, once; reloading that page shows a form, since it cannot show the secret again.
func (s *Server) tokenCreate(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActTokensOwn, ""); err != nil {
		return err
	}
	v := visitorOf(c)
	days, _ := strconv.Atoi(field(c, "days")) // 0 is told as a fault below
	request := auth.TokenRequest{Label: field(c, "label"), Scope: tenants.Scope(field(c, "scope")), Days: days}
	if days == 0 {
		request.Days = -1
	}
	made, secret, err := s.tokens.Create(c.UserContext(), v.Principal, v.Address, request)
	var faults tenants.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	page, e := s.accountPage(c)
	if e != nil {
		return e
	}
	if len(faults) > 0 {
		page.Label, page.Scope = views.Field{Value: field(c, "label")}, views.Field{Value: field(c, "scope")}
		page.Days = views.Field{Value: field(c, "days")}
		fields := map[string]*views.Field{"label": &page.Label, "scope": &page.Scope, "days": &page.Days}
		for _, f := range faults {
			fields[f.Field].Problem = views.Problem(f.Code)
		}
		return s.render(c, fiber.StatusUnprocessableEntity, page)
	}
	page.Created = &views.CreatedToken{Label: made.Label, Secret: secret}
	return s.render(c, fiber.StatusOK, page)
}

func (s *Server) tokenRevokeConfirm(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActTokensOwn, ""); err != nil {
		return err
	}
	list, err := s.tokens.List(c.UserContext(), visitorOf(c).Principal)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(t auth.Token) bool { return t.ID == c.Params("id") })
	if i < 0 {
		return tenants.ErrNotFound
	}
	return s.render(c, fiber.StatusOK, views.Confirm{
		Base: s.base(c), Act: views.ActRevoke, Action: views.RevokePath(list[i].ID), Back: views.PathAccount, Name: list[i].Label,
	})
}

func (s *Server) tokenRevoke(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActTokensOwn, ""); err != nil {
		return err
	}
	v := visitorOf(c)
	gone, err := s.tokens.Revoke(c.UserContext(), v.Principal, v.Address, c.Params("id"))
	if err != nil {
		return err
	}
	flash(c, views.FlashTokenRevoked, gone.Label)
	return seeOther(c, views.PathAccount)
}

func (s *Server) apiAccount(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActAccount, ""); err != nil {
		return err
	}
	p := visitorOf(c).Principal
	out := api.Account{
		Kind: string(p.Kind), ID: p.ID, Name: p.Name, Email: p.Email, Admin: p.CoopAdmin, SecondFactor: p.SecondFact,
		Memberships: map[string]string{},
	}
	for slug, role := range p.Memberships {
		out.Memberships[slug] = string(role)
	}
	for _, scope := range p.Scopes {
		out.Scopes = append(out.Scopes, string(scope))
	}
	return c.JSON(out)
}

func (s *Server) apiTokens(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActTokensOwn, ""); err != nil {
		return err
	}
	list, err := s.tokens.List(c.UserContext(), visitorOf(c).Principal)
	if err != nil {
		return err
	}
	return c.JSON(listOf(list, apiToken))
}

func (s *Server) apiTokenCreate(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActTokensOwn, ""); err != nil {
		return err
	}
	request, err := body[api.NewToken](c)
	if err != nil {
		return err
	}
	v := visitorOf(c)
	made, secret, err := s.tokens.Create(c.UserContext(), v.Principal, v.Address,
		auth.TokenRequest{Label: request.Label, Scope: tenants.Scope(request.Scope), Days: request.Days})
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(api.CreatedToken{Token: apiToken(made), Secret: secret})
}

func (s *Server) apiTokenRevoke(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActTokensOwn, ""); err != nil {
		return err
	}
	v := visitorOf(c)
	if _, err := s.tokens.Revoke(c.UserContext(), v.Principal, v.Address, c.Params("id")); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

func (s *Server) apiTemplates(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActTemplatesList, ""); err != nil {
		return err
	}
	lang := middleware.LanguageOf(c)
	return c.JSON(listOf(s.o.Catalogue.Templates(), func(t Template) api.Template {
		return api.Template{Name: t.Name, Title: t.Title, Version: t.Version, Summary: summary(t, lang), Modes: t.Modes}
	}))
}
