package tenants

import "time"

// Mail is what became of a mail of a site for one recipient, or of the mails of an hour that were not taken for one
// reason. Nobody here knows whole addresses or texts.
type Mail struct {
	ID       string
	SiteID   string
	To       string // masked: "l…@example.org"
	State    MailState
	Cause    string // why it waits, was given up or was not taken; the gateway's word
	Code     int    // the mail server's answer, 0 without one
	Said     string // its words, with addresses masked
	Count    int    // of attempts; with MailRefused, of mails
	Accepted time.Time
	Changed  time.Time
	Next     time.Time // when it is tried next; zero when it is not
}

// MailState is how far a mail is.
type MailState string

// The states of mails.
const (
	MailWaiting  MailState = "waiting"
	MailDeferred MailState = "deferred" // tried, and will be tried again
	MailSent     MailState = "sent"     // the co-op's mail server has it
	MailBounced  MailState = "bounced"  // given up
	MailRefused  MailState = "refused"  // not taken from the site
)

// MailFigures are what one site sent.
type MailFigures struct {
	Sent, Bounced, Refused int // on the day asked for, of Europe/Paris
	Waiting                int // now
	Hour                   int // of the site's quota used in the hour of the clock
}

// MailTrouble is what one site's mail tells of trouble.
type MailTrouble struct {
	SiteID  string
	Stuck   int // for longer than [MailPatience], because the co-op's mail server does not take them
	OverOne int // wait for the site's next hour
	Full    int // not taken in the last hour, because too much is waiting
	Sent    int // in the last day
	Bounced int // in the last day
}

const (
	// MailMemory is how long it is known what became of a mail.
	MailMemory = 30 * 24 * time.Hour
	// MailPatience is how long the co-op's mail server may be away before people are told.
	MailPatience = 15 * time.Minute
)
