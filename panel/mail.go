package panel

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
)

// mailsShown is how many mails a site's page tells of.
const mailsShown = 10

// siteMail is what became of a site's mail, for those who may know. A page without it is better than none.
func (s *Server) siteMail(c *fiber.Ctx, x tenants.Site, a tenants.Association) *views.Mailbox {
	if !may(c, tenants.ActSiteMail, a.Slug) {
		return nil
	}
	now := s.now()
	list, err := s.o.Records.Mails(c.UserContext(), x.ID, mailsShown)
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
		Open: s.o.MailHourly > 0, Sent: f.Sent, Waiting: f.Waiting, Bounced: f.Bounced, Refused: f.Refused,
		Hourly: s.o.MailHourly, Left: max(0, s.o.MailHourly-f.Hour),
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
