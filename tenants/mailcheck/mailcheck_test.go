package mailcheck_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/mailcheck"
)

type records struct {
	troubles []tenants.MailTrouble
	fault    error
	before   time.Time
}

func (r *records) MailTroubles(context.Context, time.Time) ([]tenants.MailTrouble, error) {
	return r.troubles, r.fault
}

func (r *records) DeleteMails(_ context.Context, before time.Time) error {
	r.before = before
	return nil
}

type book struct{ seen []string }

func (b *book) Replace(_ context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	b.seen = []string{}
	for _, f := range seen {
		if !scope.Holds(f) {
			return errors.New("out of scope")
		}
		b.seen = append(b.seen, fmt.Sprintf("%s %s %s %s", f.Subject, f.Code, f.Level, f.Args["count"]))
	}
	slices.Sort(b.seen)
	return nil
}

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func TestTroubleWithMailIsFoundAndEnds(t *testing.T) {
	r, b := &records{}, &book{}
	w := &mailcheck.Checker{Records: r, Findings: b, Relay: true, Now: func() time.Time { return now }}
	for name, c := range map[string]struct {
		troubles []tenants.MailTrouble
		want     string
	}{
		"nothing":            {nil, "[]"},
		"well":               {[]tenants.MailTrouble{{SiteID: "s1", Sent: 300, Bounced: 12}}, "[]"},
		"few bounces":        {[]tenants.MailTrouble{{SiteID: "s1", Bounced: 9}}, "[]"},
		"many bounces":       {[]tenants.MailTrouble{{SiteID: "s1", Sent: 40, Bounced: 10}}, "[s1 mail-bounces attention 10]"},
		"over quota":         {[]tenants.MailTrouble{{SiteID: "s1", OverOne: 3}}, "[s1 mail-quota attention 3]"},
		"full":               {[]tenants.MailTrouble{{SiteID: "s1", Full: 2}}, "[s1 mail-full trouble 2]"},
		"smarthost is away":  {[]tenants.MailTrouble{{SiteID: "s1", Stuck: 2}, {SiteID: "s2", Stuck: 1}}, "[gateway mail-stuck trouble 3]"},
		"and all over again": {nil, "[]"},
	} {
		r.troubles = c.troubles
		if err := w.Check(t.Context()); err != nil || fmt.Sprint(b.seen) != c.want {
			t.Errorf("%s: %v (%v), want %s", name, b.seen, err, c.want)
		}
	}
	r.troubles, w.Relay = nil, false
	if err := w.Check(t.Context()); err != nil || fmt.Sprint(b.seen) != "[gateway mail-none note 0]" {
		t.Errorf("without a smarthost: %v (%v)", b.seen, err)
	}
	before := b.seen
	r.fault = errors.New("no database")
	if err := w.Check(t.Context()); !errors.Is(err, r.fault) || fmt.Sprint(b.seen) != fmt.Sprint(before) {
		t.Errorf("without a database: %v (%v)", b.seen, err)
	}
	if err := w.Prune(t.Context()); err != nil || !r.before.Equal(now.AddDate(0, 0, -30)) {
		t.Errorf("forgot what is before %s (%v)", r.before, err)
	}
}
