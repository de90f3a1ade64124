// Package egresslog ingests the egress attempts that gateway and proxy have spooled, and reports sites with an unusual
// volume. It knows neither the gateway's lists nor who may read the records.
//
// Start reading at Ingester.
package egresslog

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
	"chatiere/reverseproxy/spoolfile"
	"chatiere/tenants"
)

// Records stores attempts.
type Records interface {
	// AddAttempts adds a batch; a repeated batch is ignored.
	AddAttempts(ctx context.Context, batch string, tries []tenants.EgressAttempt) (fresh bool, err error)
	DeleteAttempts(ctx context.Context, before time.Time) error
	// HourlyEgress returns each site's hours with any egress since that instant, oldest first.
	HourlyEgress(ctx context.Context, since time.Time) (map[string][]tenants.HourlyEgress, error)
	LiveSites(ctx context.Context) ([]tenants.Site, error)
}

// Findings stores findings.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Ingester ingests the spools.
type Ingester struct {
	Dir      string // the gateway's spool
	ProxyDir string // the proxy's, whose files that were set aside are reported with its counts
	Records  Records
	Findings Findings
	Now      func() time.Time
	Log      *slog.Logger

	reported   int       // files that cannot be read, when last reported
	reportedAt time.Time // zero: never
}

// reportInterval is how often an unchanged finding is stored again, so that its time of observation is recent.
const reportInterval = time.Minute

// Ingest moves the spool's files into the records. Files that cannot be read are set aside and reported as long as they
// exist.
func (t *Ingester) Ingest(ctx context.Context) error {
	var faults []error
	for _, dir := range []string{t.Dir, t.ProxyDir} {
		err := spool.Format.Ingest(ctx, dir, t.Log, func(batch string, entries []spool.Entry) error {
			hosts, err := t.hosts(ctx)
			if err != nil {
				return err
			}
			_, err = t.Records.AddAttempts(ctx, strings.TrimSuffix(batch, ".jsonl"), t.aggregate(entries, hosts))
			return err
		})
		faults = append(faults, err)
	}
	return errors.Join(append(faults, t.reportBadFiles(ctx))...)
}

func (t *Ingester) reportBadFiles(ctx context.Context) error {
	bad, err := spoolfile.SetAside(t.Dir, t.Now())
	if err != nil {
		return err
	}
	if len(bad) == t.reported && t.Now().Sub(t.reportedAt).Abs() < reportInterval {
		return nil
	}
	var seen []tenants.Finding
	if len(bad) > 0 {
		seen = append(seen, tenants.Finding{
			Area: tenants.AreaEgress, Subject: "gateway", Code: tenants.FindingEgressSpool, Level: tenants.LevelAttention,
			Args: map[string]string{"count": strconv.Itoa(len(bad)), "dir": t.Dir},
		})
	}
	err = t.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaEgress, Codes: []tenants.FindingCode{tenants.FindingEgressSpool}}, seen)
	if err == nil {
		t.reported, t.reportedAt = len(bad), t.Now()
	}
	return err
}

// hosts returns the live sites' own names, by id.
func (t *Ingester) hosts(ctx context.Context) (map[string]string, error) {
	sites, err := t.Records.LiveSites(ctx)
	hosts := make(map[string]string, len(sites))
	for _, s := range sites {
		hosts[s.ID] = s.Host
	}
	return hosts, err
}

type key struct {
	site, name string
	port       int
	decision   tenants.EgressDecision
	hour       time.Time
}

// aggregate sums a batch's entries by hour, name, port and decision. It drops a site's connections to itself and entries of
// deleted sites; impossible times are replaced by now.
func (t *Ingester) aggregate(entries []spool.Entry, hosts map[string]string) []tenants.EgressAttempt {
	at := map[key]int{}
	var out []tenants.EgressAttempt
	now := t.Now().UTC()
	for _, e := range entries {
		host, lives := hosts[e.Site]
		if !lives || e.Name == host && e.Reason != origin.ErrElsewhere.Error() {
			continue
		}
		when := e.At.UTC()
		if when.After(now) || when.Before(now.Add(-tenants.AttemptRetention)) {
			when = now
		}
		k := key{e.Site, e.Name, e.Port, tenants.EgressDecision(e.Decision), when.Truncate(time.Hour)}
		i, known := at[k]
		if !known {
			i, at[k] = len(out), len(out)
			out = append(out, tenants.EgressAttempt{SiteID: e.Site, Name: e.Name, Port: e.Port, Decision: k.decision, First: when, Last: when})
		}
		o := &out[i]
		o.Count, o.Sent, o.Received = o.Count+e.Count, o.Sent+e.Sent, o.Received+e.Received
		if when.Before(o.First) {
			o.First = when
		}
		if !when.Before(o.Last) {
			o.Last, o.Reason = when, e.Reason
		}
	}
	return out
}

// Prune removes attempts older than tenants.AttemptRetention.
func (t *Ingester) Prune(ctx context.Context) error {
	return t.Records.DeleteAttempts(ctx, t.Now().Add(-tenants.AttemptRetention))
}
