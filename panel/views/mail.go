package views

import "time"

// Mailbox is what a site's page tells of its mail.
type Mailbox struct {
	Open                            bool      // the co-op has a mail server
	Sent, Waiting, Bounced, Refused int       // today; Waiting: now
	Hourly, Left                    int       // recipients per hour, and of this hour
	OverUntil                       time.Time // the quota is used up; zero: it is not
	Mails                           []MailRow
}

// MailRow is what became of one mail for one recipient, or, refused, of several.
type MailRow struct {
	At    time.Time
	To    string // masked; "" for refused ones
	State MailState
	Cause MailCause
	Said  string // words of a mail server, in whatever language it has
	Count int    // of attempts; refused: of mails
	Next  time.Time
}

// MailState is how far a mail is.
type MailState string

// The states of mails.
const (
	MailWaiting  MailState = "waiting"
	MailDeferred MailState = "deferred"
	MailSent     MailState = "sent"
	MailBounced  MailState = "bounced"
	MailRefused  MailState = "refused"
	MailUnknown  MailState = "other" // one of a newer gateway
)

// MailCause is why a mail waits, was given up or was not taken.
type MailCause string

// The causes that have words.
const (
	MailSmarthost MailCause = "smarthost"
	MailOverQuota MailCause = "quota"
	MailHeld      MailCause = "held"
	MailExpired   MailCause = "expired"
	MailDeclined  MailCause = "refused"
	MailNoServer  MailCause = "none"
	MailFull      MailCause = "full"
	MailTooFast   MailCause = "fast"
	MailForeign   MailCause = "foreign"
	MailContent   MailCause = "content"
	MailNoRoom    MailCause = "disk"
	MailOther     MailCause = "other" // one of a newer gateway
)
