package panel

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
)

const (
	// pageMails is how many mails a site's page tells of, mailsTold how many a program is told of that names no number.
	pageMails = 10
	apiMails  = 100
)

// siteMail is what became of a site's mail, for those who may know. A page without it is better than none.
func (s *Server) siteMail(c *fiber.Ctx, x tenants.Site, a tenants.Association) *views.Mailbox {
	if !may(c, tenants.ActSiteMail, a.Slug) {
		return nil
	}
	now := s.now()
	list, err := s.o.Records.Mails(c.UserContext(), x.ID, pageMails)
	if err == nil {
		var figures tenants.MailFigures
		if figures, err = s.o.Records.MailFigures(c.UserContext(), x.ID, now); err == nil {
			return s.mailbox(figures, list, now)
		}
	}
	s.log.WarnContext(c.UserContext(), "mails not read", "request_id", middleware.RequestIDOf(c), "error", err)
	return nil
}

func (s *Server) mailbox(f tenants.MailFigures, list []tenants.Mail, now time.Time) *views.Mailbox {
	box := &views.Mailbox{
		Open: s.o.Sites.MailHourly > 0, Sent: f.Sent, Waiting: f.Waiting, Bounced: f.Bounced, Refused: f.Refused,
		Hourly: s.o.Sites.MailHourly, Left: max(0, s.o.Sites.MailHourly-f.Hour),
	}
	for _, m := range list {
		row := views.MailRow{To: m.To, State: views.MailState(m.State), Cause: views.MailCause(m.Cause), Said: m.Said, Count: m.Count, At: m.Accepted}
		if m.Next.After(now) {
			row.Next = m.Next
		}
		if m.State == tenants.MailWaiting && m.Cause == string(views.MailOverQuota) {
			box.OverUntil = row.Next
		}
		box.Mails = append(box.Mails, row)
	}
	return box
}

// apiMail tells what became of a site's mail (?limit=, 1 to 1000).
func (s *Server) apiMail(c *fiber.Ctx) error {
	x, _, err := s.findSite(c, tenants.ActSiteMail)
	if err != nil {
		return err
	}
	list, err := s.o.Records.Mails(c.UserContext(), x.ID, c.QueryInt("limit", apiMails))
	if err != nil {
		return err
	}
	f, err := s.o.Records.MailFigures(c.UserContext(), x.ID, s.now())
	if err != nil {
		return err
	}
	out := api.SiteMail{
		Open: s.o.Sites.MailHourly > 0, Sent: f.Sent, Bounced: f.Bounced, Refused: f.Refused, Waiting: f.Waiting,
		Hourly: s.o.Sites.MailHourly, Hour: f.Hour, Items: make([]api.Mail, 0, len(list)),
	}
	for _, m := range list {
		row := api.Mail{
			ID: m.ID, To: m.To, State: string(m.State), Cause: m.Cause, Code: m.Code, Said: m.Said, Count: m.Count,
			Accepted: m.Accepted, Changed: m.Changed,
		}
		if !m.Next.IsZero() {
			row.Next = &m.Next
		}
		out.Items = append(out.Items, row)
	}
	return c.JSON(out)
}
