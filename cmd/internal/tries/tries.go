// Package tries takes what gateway and proxy noted about the sites' ways out into the records, and says so when a site does far
// more with it than it usually does. It knows neither the gateway's lists nor who may read the records.
//
// Start reading at Taker.
package tries

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
	"chatiere/reverseproxy/spoolfile"
	"chatiere/tenants"
)

// Records keeps what was tried.
type Records interface {
	// AddTries adds a batch, once however often it is handed over.
	AddTries(ctx context.Context, batch string, tries []tenants.Try) (fresh bool, err error)
	ForgetTries(ctx context.Context, before time.Time) error
	// Outflows returns the hours of each site since that instant in which it did anything, oldest first.
	Outflows(ctx context.Context, since time.Time) (map[string][]tenants.Outflow, error)
	LiveSites(ctx context.Context) ([]tenants.Site, error)
}

// Findings is where what people should know is said.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Taker holds the ports.
type Taker struct {
	Dir      string // the gateway's spool
	ProxyDir string // the proxy's, whose files that were set aside are reported with its counts
	Records  Records
	Findings Findings
	Now      func() time.Time
	Log      *slog.Logger

	reported   int       // files that cannot be read, when last reported
	reportedAt time.Time // zero: never
}

// repeat is how often what has not changed is reported again, so that the finding is seen to hold.
const repeat = time.Minute

// Take brings the spool's files into the records. Those that cannot be read are set aside and told of as long as they
// lie there.
func (t *Taker) Take(ctx context.Context) error {
	var faults []error
	for _, dir := range []string{t.Dir, t.ProxyDir} {
		err := spool.Ingest(ctx, dir, func(batch string, entries []spool.Entry) error {
			hosts, err := t.hosts(ctx)
			if err != nil {
				return err
			}
			_, err = t.Records.AddTries(ctx, batch, t.sum(entries, hosts))
			return err
		})
		if errors.Is(err, spool.ErrLine) {
			t.Log.WarnContext(ctx, "notes of sites' ways out cannot be read", "dir", dir, "error", err)
			err = nil // a finding tells it, for longer than one round
		}
		faults = append(faults, err)
	}
	return errors.Join(append(faults, t.tellBad(ctx))...)
}

func (t *Taker) tellBad(ctx context.Context) error {
	bad, err := spoolfile.SetAside(t.Dir, t.Now())
	if err != nil {
		return err
	}
	if len(bad) == t.reported && t.Now().Sub(t.reportedAt).Abs() < repeat {
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

// hosts are the living sites' own names, by id.
func (t *Taker) hosts(ctx context.Context) (map[string]string, error) {
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
	decision   tenants.TryDecision
	hour       time.Time
}

// sum joins a batch's entries that differ in nothing that is kept. What a site does at its own address is nobody's business
// as long as it means itself, nor what one did that is gone; a time that cannot be is taken for now.
func (t *Taker) sum(entries []spool.Entry, hosts map[string]string) []tenants.Try {
	at := map[key]int{}
	var out []tenants.Try
	now := t.Now().UTC()
	for _, e := range entries {
		host, lives := hosts[e.Site]
		if !lives || e.Name == host && e.Reason != origin.ErrElsewhere.Error() {
			continue
		}
		when := e.At.UTC()
		if when.After(now) || when.Before(now.Add(-tenants.TryMemory)) {
			when = now
		}
		k := key{e.Site, e.Name, e.Port, tenants.TryDecision(e.Decision), when.Truncate(time.Hour)}
		i, known := at[k]
		if !known {
			i, at[k] = len(out), len(out)
			out = append(out, tenants.Try{SiteID: e.Site, Name: e.Name, Port: e.Port, Decision: k.decision, First: when, Last: when})
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

// Forget removes what is too old to be looked at.
func (t *Taker) Forget(ctx context.Context) error {
	return t.Records.ForgetTries(ctx, t.Now().Add(-tenants.TryMemory))
}
