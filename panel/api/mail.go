package api

import "time"

// SiteMail is what became of a site's mail, below a site's path: /mail.
type SiteMail struct {
	Open    bool   `json:"open"`    // the co-op has a mail server
	Sent    int    `json:"sent"`    // today, in Europe/Paris, as are the next two
	Bounced int    `json:"bounced"` // given up
	Refused int    `json:"refused"` // not taken from the site
	Waiting int    `json:"waiting"` // now
	Hourly  int    `json:"hourly"`  // recipients that the site may write to in an hour of the clock
	Hour    int    `json:"hour"`    // of these, used in this hour
	Items   []Mail `json:"items"`   // the last first
}

// Mail is what became of one mail for one recipient, or, refused, of several. States: waiting, deferred, sent, bounced,
// refused. Causes: those of the gateway's reports (docs/formats.md).
type Mail struct {
	ID       string     `json:"id"`
	To       string     `json:"to,omitempty"` // masked: l…@example.org
	State    string     `json:"state"`
	Cause    string     `json:"cause,omitempty"`
	Code     int        `json:"code,omitempty"` // the mail server's answer
	Said     string     `json:"said,omitempty"` // its words, with addresses masked
	Count    int        `json:"count"`          // of attempts; refused: of mails
	Accepted time.Time  `json:"accepted"`
	Changed  time.Time  `json:"changed"`
	Next     *time.Time `json:"next,omitempty"` // when it is tried next
}
