package panel

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/auth"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
)

const tokenKind = tenants.KindToken

// workerSilence is after how long without a sign people are told that work is paused.
const workerSilence = 2 * time.Minute

// render draws a page whole before anything is sent.
func (s *Server) render(c *fiber.Ctx, status int, page views.Page) error {
	var b bytes.Buffer
	if err := s.o.Views.Render(&b, middleware.LanguageOf(c), page); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	c.Set(fiber.HeaderContentLanguage, middleware.LanguageOf(c))
	c.Vary(fiber.HeaderCookie, fiber.HeaderAcceptLanguage)
	return c.Status(status).Send(b.Bytes())
}

// base is what every page needs. It asks the records for nothing that the page could not do without.
func (s *Server) base(c *fiber.Ctx) views.Base {
	v := visitorOf(c)
	b := views.Base{CoopName: s.o.Coop.Name, CoopContact: s.o.Coop.Contact, Path: c.OriginalURL()}
	if c.Method() != fiber.MethodGet {
		b.Path = "/" // the address of a form's answer cannot be asked for again
	}
	if v.Session == nil {
		return b
	}
	b.CSRF = v.Session.CSRFToken()
	b.User = &views.User{Name: v.Principal.Name, Role: roleOf(v.Principal)}
	b.User.Associations = s.associationNames(c, v.Principal)
	b.Notices = s.notices(c, v)
	b.Flashes = takeFlash(c)
	return b
}

// roleOf decides the navigation: an admin without a second factor is shown what they may do without it.
func roleOf(p tenants.Principal) views.Role {
	if p.CoopAdmin && p.SecondFact {
		return views.RoleAdmin
	}
	for _, r := range p.Memberships {
		if r == tenants.RoleManager {
			return views.RoleManager
		}
	}
	return views.RoleMember
}

func (s *Server) associationNames(c *fiber.Ctx, p tenants.Principal) []string {
	slugs := slugsOf(p)
	if len(slugs) == 0 {
		return nil
	}
	found, err := s.o.Records.AssociationsBySlugs(c.UserContext(), slugs)
	if err != nil {
		s.log.Warn("association names not read", "request_id", middleware.RequestIDOf(c), "error", err)
		return slugs
	}
	names := make([]string, 0, len(found))
	for _, a := range found {
		names = append(names, a.Name)
	}
	return names
}

func slugsOf(p tenants.Principal) []string {
	slugs := make([]string, 0, len(p.Memberships))
	for slug := range p.Memberships {
		slugs = append(slugs, slug)
	}
	slices.Sort(slugs)
	return slugs
}

func (s *Server) notices(c *fiber.Ctx, v visitor) []views.Notice {
	var out []views.Notice
	seen, err := s.o.Records.WorkerSeen(c.UserContext())
	if err == nil && s.now().Sub(seen) > workerSilence {
		out = append(out, views.Notice{Kind: views.NoticeWorkPaused})
	}
	if v.Stale {
		out = append(out, views.Notice{Kind: views.NoticeIdentityDown})
	}
	if v.Session.Kind == auth.KindBreakGlass {
		out = append(out, views.Notice{Kind: views.NoticeBreakGlass, Until: v.Session.ExpiresAt})
	}
	if v.Principal.CoopAdmin && !v.Principal.SecondFact {
		out = append(out, views.Notice{Kind: views.NoticeNoSecond})
	}
	return out
}

// field reads one field of a posted form, and never the address, where secrets do not belong.
func field(c *fiber.Ctx, name string) string {
	return string(c.Context().PostArgs().Peek(name))
}

// seeOther ends a form: reloading what follows posts nothing again.
func seeOther(c *fiber.Ctx, path string) error { return c.Redirect(path, fiber.StatusSeeOther) }

const flashCookie = "__Host-chatiere-flash"

// flash leaves a message for the next page. It carries no right, only a kind and a name.
func flash(c *fiber.Ctx, kind views.FlashKind, name string) {
	setCookie(c, flashCookie, base64.RawURLEncoding.EncodeToString([]byte(string(kind)+"\n"+name)), 60)
}

var flashKinds = []views.FlashKind{
	views.FlashSuspendAsked, views.FlashResumeAsked, views.FlashDeleteAsked, views.FlashRestoreAsked, views.FlashPurgeAsked,
	views.FlashAccessAsked, views.FlashAccessGranted, views.FlashAccessRefused, views.FlashAccessRevoked,
	views.FlashCancelAsked, views.FlashTokenRevoked, views.FlashSignedOut, views.FlashAlreadyAsked,
	views.FlashSessionEnded, views.FlashSignedOutAll, views.FlashPersonOut, views.FlashPersonOutHere,
}

func takeFlash(c *fiber.Ctx) []views.Flash {
	raw := c.Cookies(flashCookie)
	if raw == "" {
		return nil
	}
	clearCookie(c, flashCookie)
	b, err := base64.RawURLEncoding.DecodeString(raw)
	kind, name, ok := strings.Cut(string(b), "\n")
	if err != nil || !ok || !slices.Contains(flashKinds, views.FlashKind(kind)) {
		return nil
	}
	return []views.Flash{{Kind: views.FlashKind(kind), Name: name}}
}

// siteURL is how a site's address is written in links: with the port when it is not the usual one.
func (s *Server) siteURL(host string) string {
	return (&url.URL{Scheme: "https", Host: host + s.port(), Path: "/"}).String()
}
