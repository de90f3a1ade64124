// Package mailcheck derives findings from the sites' mail and removes old records of mail. It knows neither the gateway,
// which reports the state of each mail, nor the pages that show it.
//
// Start reading at Checker.Check.
package mailcheck

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"chatiere/tenants"
)

// Records reads and prunes the state of mail.
type Records interface {
	// MailTroubles returns the figures of each site with mail in the last days.
	MailTroubles(ctx context.Context, now time.Time) ([]tenants.MailTrouble, error)
	// DeleteMails removes what last changed before that instant.
	DeleteMails(ctx context.Context, before time.Time) error
}

// Findings stores findings.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Checker checks the sites' mail.
type Checker struct {
	Records  Records
	Findings Findings
	Relay    bool // the co-op has configured a mail server
	Now      func() time.Time
}

const (
	// minBounces is the number of bounces in a day below which there is no finding.
	minBounces = 10
	// maxBounceShare is the share of a site's mail that may bounce: one in so many. Mail servers trust senders that stay
	// far below it.
	maxBounceShare = 5
)

// Subject is the subject of findings about the mail of all sites.
const Subject = "gateway"

// Check replaces the findings about mail.
func (w *Checker) Check(ctx context.Context) error {
	troubles, err := w.Records.MailTroubles(ctx, w.Now())
	if err != nil {
		return fmt.Errorf("reading the sites' mail figures: %w", err)
	}
	var seen []tenants.Finding
	if !w.Relay {
		seen = append(seen, newFinding(Subject, tenants.FindingNoMail, tenants.LevelNote, 0))
	}
	stuck := 0
	for _, t := range troubles {
		stuck += t.Stuck
		seen = append(seen, siteFindings(t)...)
	}
	if stuck > 0 {
		seen = append(seen, newFinding(Subject, tenants.FindingMailStuck, tenants.LevelTrouble, stuck))
	}
	return w.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaMail}, seen)
}

func siteFindings(t tenants.MailTrouble) []tenants.Finding {
	var seen []tenants.Finding
	if t.OverOne > 0 {
		seen = append(seen, newFinding(t.SiteID, tenants.FindingMailQuota, tenants.LevelAttention, t.OverOne))
	}
	if t.Full > 0 {
		seen = append(seen, newFinding(t.SiteID, tenants.FindingMailFull, tenants.LevelTrouble, t.Full))
	}
	if t.Bounced >= minBounces && t.Bounced*maxBounceShare >= t.Bounced+t.Sent {
		seen = append(seen, newFinding(t.SiteID, tenants.FindingMailBounces, tenants.LevelAttention, t.Bounced))
	}
	return seen
}

func newFinding(subject string, code tenants.FindingCode, level tenants.Level, count int) tenants.Finding {
	return tenants.Finding{
		Area: tenants.AreaMail, Subject: subject, Code: code, Level: level, Args: map[string]string{"count": strconv.Itoa(count)},
	}
}

// Prune removes records older than tenants.MailMemory.
func (w *Checker) Prune(ctx context.Context) error {
	return w.Records.DeleteMails(ctx, w.Now().Add(-tenants.MailMemory))
}
