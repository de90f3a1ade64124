package viewstest

import (
	"time"

	"chatiere/panel/views"
)

// mailbox has a mail in each state, and causes of every kind.
func mailbox() *views.Mailbox {
	row := func(to string, state views.MailState, cause views.MailCause, said string) views.MailRow {
		return views.MailRow{At: Now.Add(-20 * time.Minute), To: to, State: state, Cause: cause, Said: said, Count: 1}
	}
	later := row("z…@amap.example", views.MailDeferred, views.MailDeclined, "4.2.0 greylisted, come back")
	later.Next = Now.Add(5 * time.Minute)
	several := row("", views.MailRefused, views.MailFull, "")
	several.Count = 12
	return &views.Mailbox{
		Open: true, Sent: 187, Waiting: 14, Bounced: 1, Refused: 12, Hourly: 200, OverUntil: Now.Add(55 * time.Minute),
		Mails: []views.MailRow{
			row("l…@amap.example", views.MailWaiting, views.MailOverQuota, ""), later, several,
			row("a-rather-long-one…@a-rather-long-domain-of-an-association.example", views.MailSent, "", "2.0.0 OK"),
			row("g…@nulle-part.example", views.MailBounced, views.MailDeclined, "5.1.1 <g…@nulle-part.example>: no such user"),
		},
	}
}
