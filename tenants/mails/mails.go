// Package mails watches over what became of the sites' mail: it turns figures into findings and forgets what is old. It
// knows neither the gateway, which tells what became of each mail, nor the pages that show it.
//
// Start reading at Watch.Look.
package mails

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"chatiere/tenants"
)

// Records keeps what became of mails.
type Records interface {
	// MailTroubles tells of each site with mail of the last days.
	MailTroubles(ctx context.Context, now time.Time) ([]tenants.MailTrouble, error)
	// ForgetMails removes what last changed before that instant.
	ForgetMails(ctx context.Context, before time.Time) error
}

// Book is where findings are written.
type Book interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Watch looks the sites' mail over.
type Watch struct {
	Records Records
	Book    Book
	Relay   bool // the co-op has configured a mail server
	Now     func() time.Time
}

const (
	// fewBounces is how many bounces in a day are nobody's fault.
	fewBounces = 10
	// worstShare of a site's mail may bounce: one in so many. Mail servers trust those who stay far below.
	worstShare = 5
)

// Subject is what findings about the mail of all sites are about: the gateway hands it over.
const Subject = "gateway"

// Look writes down what people should know.
func (w *Watch) Look(ctx context.Context) error {
	troubles, err := w.Records.MailTroubles(ctx, w.Now())
	if err != nil {
		return fmt.Errorf("looking the sites' mail over: %w", err)
	}
	var seen []tenants.Finding
	if !w.Relay {
		seen = append(seen, finding(Subject, tenants.FindingNoMail, tenants.LevelNote, 0))
	}
	stuck := 0
	for _, t := range troubles {
		stuck += t.Stuck
		seen = append(seen, ofSite(t)...)
	}
	if stuck > 0 {
		seen = append(seen, finding(Subject, tenants.FindingMailStuck, tenants.LevelTrouble, stuck))
	}
	return w.Book.Replace(ctx, tenants.FindingScope{Area: tenants.AreaMail}, seen)
}

func ofSite(t tenants.MailTrouble) []tenants.Finding {
	var seen []tenants.Finding
	if t.OverOne > 0 {
		seen = append(seen, finding(t.SiteID, tenants.FindingMailQuota, tenants.LevelAttention, t.OverOne))
	}
	if t.Full > 0 {
		seen = append(seen, finding(t.SiteID, tenants.FindingMailFull, tenants.LevelTrouble, t.Full))
	}
	if t.Bounced >= fewBounces && t.Bounced*worstShare >= t.Bounced+t.Sent {
		seen = append(seen, finding(t.SiteID, tenants.FindingMailBounces, tenants.LevelAttention, t.Bounced))
	}
	return seen
}

func finding(subject string, code tenants.FindingCode, level tenants.Level, count int) tenants.Finding {
	return tenants.Finding{
		Area: tenants.AreaMail, Subject: subject, Code: code, Level: level, Args: map[string]string{"count": strconv.Itoa(count)},
	}
}

// Forget removes what is older than people may want to know.
func (w *Watch) Forget(ctx context.Context) error {
	return w.Records.ForgetMails(ctx, w.Now().Add(-tenants.MailMemory))
}
