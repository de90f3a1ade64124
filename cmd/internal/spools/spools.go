// Package spools ingests the traffic counts of the proxy and the mail reports of the gateway into the records, and reports
// files that cannot be read. Egress attempts have a package of their own, egresslog.
//
// Start reading at Spools.
package spools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/egress/relay/report"
	"chatiere/reverseproxy/spoolfile"
	"chatiere/reverseproxy/traffic"
	"chatiere/tenants"
	"chatiere/tenants/mysql"
)

// Spools are the directories and where their content goes.
type Spools struct {
	Proxy   string // the proxy's spool
	Mail    string // the relay's directory
	Records interface {
		AddTraffic(ctx context.Context, batch string, rows []mysql.TrafficRow) (fresh bool, err error)
		ForgetBatches(ctx context.Context, before time.Time) error
		KeepMails(ctx context.Context, mails []tenants.Mail) error
	}
	Findings interface {
		Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
	}
	// Suspect is called with a site that has answered with a server error.
	Suspect func(siteIDs ...string)
	Now     func() time.Time
	Log     *slog.Logger
}

// IngestTraffic ingests the proxy's counts.
func (s *Spools) IngestTraffic(ctx context.Context) error {
	return traffic.Format.Ingest(ctx, s.Proxy, s.Log, func(batch string, records []traffic.Record) error {
		for _, r := range records {
			if r.Status["5xx"] > 0 {
				s.Suspect(r.Site)
			}
		}
		_, err := s.Records.AddTraffic(ctx, batch, trafficRows(records))
		if errors.Is(err, tenants.ErrInvalid) {
			return fmt.Errorf("%w: %w", spoolfile.ErrDamaged, err) // it would come back for ever, and hold up those behind it
		}
		return err
	})
}

func trafficRows(records []traffic.Record) []mysql.TrafficRow {
	rows := make([]mysql.TrafficRow, 0, len(records))
	for _, r := range records {
		row := mysql.TrafficRow{
			SiteID: r.Site, At: r.From, Requests: int64(r.Requests), BytesIn: int64(r.BytesIn), BytesOut: int64(r.BytesOut),
		}
		for class := 1; class < len(row.Status); class++ {
			row.Status[class] = int64(r.Status[string(rune('0'+class))+"xx"])
		}
		rows = append(rows, row)
	}
	return rows
}

// batchRetention is how long a batch's name is stored, so that a crash between counting and deleting does not count it twice.
const batchRetention = 7 * 24 * time.Hour

// PruneBatches removes the names of old batches.
func (s *Spools) PruneBatches(ctx context.Context) error {
	return s.Records.ForgetBatches(ctx, s.Now().Add(-batchRetention))
}

// IngestMail ingests the relay's reports.
func (s *Spools) IngestMail(ctx context.Context) error {
	return report.Format.Ingest(ctx, relay.ReportDir(s.Mail), s.Log, func(_ string, entries []report.Entry) error {
		mails := make([]tenants.Mail, 0, len(entries))
		for _, e := range entries {
			mails = append(mails, tenants.Mail{
				ID: e.ID, SiteID: e.Site, To: e.To, State: tenants.MailState(e.State), Cause: e.Cause, Code: e.Code, Said: e.Said,
				Count: e.Count, Accepted: e.Accepted, Changed: e.Changed, Next: e.Next,
			})
		}
		return s.Records.KeepMails(ctx, mails)
	})
}

// ReportBadFiles reports files that could not be read and were set aside, and removes old ones.
func (s *Spools) ReportBadFiles(ctx context.Context) error {
	var seen []tenants.Finding
	var faults []error
	for code, dirs := range map[tenants.FindingCode][]string{
		tenants.FindingSpoolTraffic: {s.Proxy},
		tenants.FindingSpoolMail:    {relay.ReportDir(s.Mail), filepath.Join(relay.QueueDir(s.Mail), "*")},
	} {
		for _, dir := range dirs {
			bad, err := spoolfile.SetAside(dir, s.Now())
			faults = append(faults, err)
			if len(bad) > 0 {
				seen = append(seen, tenants.Finding{
					Area: tenants.AreaSpool, Subject: filepath.Base(filepath.Dir(bad[0])), Code: code, Level: tenants.LevelAttention,
					Args: map[string]string{"count": strconv.Itoa(len(bad)), "dir": dir},
				})
			}
		}
	}
	return errors.Join(append(faults, s.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaSpool}, seen))...)
}
