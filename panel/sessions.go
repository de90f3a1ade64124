package panel

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/auth"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
)

// Identities ends people's sessions at the issuer, where a browser would otherwise sign in again without a question.
type Identities interface {
	SignOut(ctx context.Context, subject string) error
}

// sessionEnd ends one of the visitor's own sessions.
func (s *Server) sessionEnd(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActSessionsOwn, ""); err != nil {
		return err
	}
	v := visitorOf(c)
	if c.Params("id") == v.Session.ID() {
		return s.logout(c)
	}
	gone, err := s.sessions.End(c.UserContext(), v.Session.Subject, c.Params("id"))
	if err != nil {
		return err
	}
	s.audit(c, "session.end", gone.Device.String())
	flash(c, views.FlashSessionEnded, "")
	return seeOther(c, views.PathAccount)
}

// sessionsEnd signs the visitor out everywhere: here, and at the issuer as far as it can be reached.
func (s *Server) sessionsEnd(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActSessionsOwn, ""); err != nil {
		return err
	}
	v := visitorOf(c)
	n, err := s.sessions.EndAll(c.UserContext(), v.Session.Subject)
	if err != nil {
		return err
	}
	s.audit(c, "session.end_all", strconv.FormatInt(n, 10))
	clearCookie(c, sessionCookie)
	if v.Session.Kind == auth.KindIdentity && !s.signedOut(c, v.Session.Subject) {
		if farewell := s.sessions.LogoutURL(*v.Session); farewell != "" && s.provider.Alive(c.UserContext()) {
			return seeOther(c, farewell)
		}
	}
	flash(c, views.FlashSignedOutAll, "")
	return seeOther(c, views.PathSignIn)
}

// signedOut asks the issuer to end all of a person's sessions. Ours end even if that fails.
func (s *Server) signedOut(c *fiber.Ctx, subject string) bool {
	if s.o.SignIn.Identities == nil {
		return false
	}
	err := s.o.SignIn.Identities.SignOut(c.UserContext(), subject)
	if err != nil {
		s.log.Warn("sessions at the issuer not ended", "request_id", middleware.RequestIDOf(c), "subject", subject, "error", err)
	}
	return err == nil
}

// person shows where somebody is signed in, with a form to end it after a break-in.
func (s *Server) person(c *fiber.Ctx) error {
	m, err := s.findPerson(c)
	if err != nil {
		return err
	}
	open, err := s.sessions.List(c.UserContext(), m.Subject)
	if err != nil {
		return err
	}
	keys, err := s.tokens.OwnedBy(c.UserContext(), m.Subject)
	if err != nil {
		return err
	}
	page := views.Person{
		Base: s.base(c), Subject: m.Subject, Name: m.Name, Username: m.Username, Email: m.Email, SeenAt: m.SeenAt, Tokens: len(keys),
		Sessions: sessionRows(open, auth.Hash{}), JournalPath: views.PathJournal + "?" + url.Values{"person": {m.Name}}.Encode(),
	}
	page.Rights, err = s.rights(c, tenants.Principal{CoopAdmin: m.CoopAdmin, Memberships: m.Memberships})
	if err != nil {
		return err
	}
	if page.Inside, err = s.siteAccounts(c, m.Subject); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, page)
}

// siteAccounts lists a person's accounts in sites, and those that they may have left there.
func (s *Server) siteAccounts(c *fiber.Ctx, subject string) ([]views.InsideRow, error) {
	accounts, err := s.o.Records.SiteAccountsOf(c.UserContext(), subject)
	if err != nil {
		return nil, err
	}
	var rows []views.InsideRow
	for _, a := range accounts {
		x, err := s.o.Records.Site(c.UserContext(), a.SiteID)
		if errors.Is(err, tenants.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, views.InsideRow{
			SiteID: x.ID, Host: x.Host, Login: a.Login, Local: a.Local, Administrator: a.Administrator, Keys: a.Keys, Unknown: len(a.Subjects) == 0,
		})
	}
	return rows, nil
}

// findPerson reads the person of the path; only who may end their sessions sees them.
func (s *Server) findPerson(c *fiber.Ctx) (tenants.Member, error) {
	if err := s.authorize(c, tenants.ActSessionsEnd, ""); err != nil {
		return tenants.Member{}, err
	}
	return s.o.SignIn.People.Person(c.UserContext(), c.Params("subject"))
}

// personSignOut ends all sessions of a person, and revokes their tokens if requested.
func (s *Server) personSignOut(c *fiber.Ctx) error {
	m, err := s.findPerson(c)
	if err != nil {
		return err
	}
	n, err := s.sessions.EndAll(c.UserContext(), m.Subject)
	if err != nil {
		return err
	}
	detail := strconv.FormatInt(n, 10) + " of " + m.Username
	if field(c, "keys") == "1" {
		keys, err := s.tokens.RevokeAll(c.UserContext(), m.Subject)
		if err != nil {
			return err
		}
		detail += ", " + strconv.FormatInt(keys, 10) + " keys"
	}
	s.audit(c, "session.end_all", detail)
	kind := views.FlashPersonOut
	if !s.signedOut(c, m.Subject) {
		kind = views.FlashPersonOutHere
	}
	flash(c, kind, m.Name)
	return seeOther(c, views.PersonPath(m.Subject))
}

func sessionRows(open []auth.Session, own auth.Hash) []views.SessionRow {
	rows := make([]views.SessionRow, 0, len(open))
	for _, x := range open {
		rows = append(rows, views.SessionRow{
			ID: x.ID(), Browser: views.Browser(x.Device.Browser), Platform: views.DevicePlatform(x.Device.Platform), Since: x.CreatedAt, Seen: x.SeenAt,
			Network: x.Network, Current: x.Hash == own, Second: x.SecondFactor(), BreakGlass: x.Kind == auth.KindBreakGlass,
		})
	}
	return rows
}

// countFailure counts a failed attempt and returns the failure, or a limit error.
func (s *Server) countFailure(c *fiber.Ctx, a auth.LimitKind, failure error) error {
	for _, counts := range []error{auth.ErrFlow, auth.ErrRefused, auth.ErrWeak, auth.ErrEnded} {
		if !errors.Is(failure, counts) {
			continue
		}
		if err := s.limiter.Take(c.UserContext(), a, address(c)); err != nil {
			return err
		}
	}
	return failure
}
