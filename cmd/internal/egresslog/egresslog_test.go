package egresslog_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"chatiere/cmd/internal/egresslog"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/tenants"
)

var now = time.Date(2026, 11, 22, 6, 20, 0, 0, time.UTC)

const site = "s7k2m9qx4p"

// shelf keeps batches and findings in memory.
type shelf struct {
	batches map[string][]tenants.EgressAttempt
	hours   []tenants.HourlyEgress
	open    map[tenants.FindingCode]tenants.Finding
	down    error
}

func (s *shelf) AddAttempts(_ context.Context, batch string, got []tenants.EgressAttempt) (bool, error) {
	if _, known := s.batches[batch]; known || s.down != nil {
		return false, s.down
	}
	s.batches[batch] = got
	return true, nil
}

func (s *shelf) DeleteAttempts(context.Context, time.Time) error { return nil }

func (s *shelf) HourlyEgress(context.Context, time.Time) (map[string][]tenants.HourlyEgress, error) {
	return map[string][]tenants.HourlyEgress{site: s.hours}, nil
}

func (s *shelf) LiveSites(context.Context) ([]tenants.Site, error) {
	return []tenants.Site{{ID: site, Host: "amap.lilas.example"}}, nil
}

func (s *shelf) Replace(_ context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	for _, code := range scope.Codes {
		delete(s.open, code)
	}
	for _, f := range seen {
		if !scope.Holds(f) {
			return errors.New("outside its scope")
		}
		s.open[f.Code] = f
	}
	return nil
}

func newTaker(t *testing.T) (*egresslog.Ingester, *shelf) {
	t.Helper()
	s := &shelf{batches: map[string][]tenants.EgressAttempt{}, open: map[tenants.FindingCode]tenants.Finding{}}
	return &egresslog.Ingester{
		Dir: t.TempDir(), ProxyDir: t.TempDir(), Records: s, Findings: s, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}, s
}

// note lets the gateway's own spool write a file.
func note(t *testing.T, dir string, at time.Time, keys ...spool.Key) {
	t.Helper()
	s, err := spool.New(dir, func() time.Time { return at }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		s.Add(k, 1, 10, 20)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheGatewayNotedIsSummedOnce(t *testing.T) {
	taker, s := newTaker(t)
	refused := spool.Key{Site: site, Name: "a.example", Port: 443, Decision: spool.Refused, Reason: "name not in list"}
	again := refused
	again.Reason = "too many attempts"
	note(t, taker.Dir, now.Add(-time.Minute), refused, again,
		spool.Key{Site: site, Name: "amap.lilas.example", Port: 443, Decision: spool.Allowed},
		spool.Key{Site: "s000000000", Name: "gone.example", Port: 443, Decision: spool.Refused})
	s.down = errors.New("database is down")
	if err := taker.Ingest(t.Context()); !errors.Is(err, s.down) {
		t.Fatal(err)
	}
	s.down = nil
	for range 2 {
		if err := taker.Ingest(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.batches) != 1 {
		t.Fatalf("%d batches", len(s.batches))
	}
	at := now.Add(-time.Minute)
	for _, got := range s.batches {
		want := tenants.EgressAttempt{
			SiteID: site, Name: "a.example", Port: 443, Decision: tenants.EgressRefused, Count: 2, Sent: 20, Received: 40, First: at, Last: at,
		}
		if len(got) != 1 || got[0].Reason == "" {
			t.Fatalf("%+v", got)
		}
		got[0].Reason = ""
		if !reflect.DeepEqual(got[0], want) {
			t.Errorf("%+v, want %+v", got[0], want)
		}
	}
	if files, err := os.ReadDir(taker.Dir); err != nil || len(files) != 0 {
		t.Errorf("left in the spool: %v, %v", files, err)
	}
}

func TestWhatTheProxyNotedCountsToo(t *testing.T) {
	taker, s := newTaker(t)
	elsewhere := spool.Key{Site: site, Name: "panel.lilas.example", Port: 443, Decision: spool.Refused, Reason: "own name led elsewhere"}
	nameless := elsewhere
	nameless.Name = "amap.lilas.example" // no other name is known
	note(t, taker.ProxyDir, now, elsewhere, nameless)
	if err := taker.Ingest(t.Context()); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, batch := range s.batches {
		for _, try := range batch {
			names = append(names, try.Name)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"amap.lilas.example", "panel.lilas.example"}) {
		t.Errorf("kept of %v", names)
	}
}

func TestATimeThatCannotBeIsTakenForNow(t *testing.T) {
	taker, s := newTaker(t)
	for _, at := range []time.Time{now.Add(time.Hour), now.AddDate(0, -2, 0)} {
		note(t, taker.Dir, at, spool.Key{Site: site, Name: "a.example", Port: 443, Decision: spool.Allowed})
	}
	if err := taker.Ingest(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, got := range s.batches {
		if len(got) != 1 || !got[0].First.Equal(now) {
			t.Errorf("%+v", got)
		}
	}
}

func TestDamagedNotesAreToldAsLongAsTheyLieThere(t *testing.T) {
	taker, s := newTaker(t)
	path := filepath.Join(taker.Dir, "egress-1.jsonl")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	note(t, taker.Dir, now, spool.Key{Site: site, Name: "a.example", Port: 443, Decision: spool.Allowed})
	s.down = errors.New("database is down")
	if err := taker.Ingest(t.Context()); !errors.Is(err, s.down) {
		t.Errorf("a damaged file hides that the next was not stored: %v", err)
	}
	s.down = nil
	for range 2 {
		if err := taker.Ingest(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f := s.open[tenants.FindingEgressSpool]; f.Args["count"] != "1" {
			t.Errorf("told %+v", f)
		}
	}
	if len(s.batches) != 1 {
		t.Errorf("the other file was not taken")
	}
	if err := os.Remove(path + ".bad"); err != nil {
		t.Fatal(err)
	}
	if err := taker.Ingest(t.Context()); err != nil || len(s.open) != 0 {
		t.Errorf("still told: %v, %v", s.open, err)
	}
}

func TestAnHourFarAboveTheUsualIsTold(t *testing.T) {
	hour := now.Truncate(time.Hour)
	usual := func(o tenants.HourlyEgress) []tenants.HourlyEgress {
		var out []tenants.HourlyEgress
		for n := 10; n > 1; n-- {
			o.Hour = hour.Add(-time.Duration(n) * time.Hour)
			out = append(out, o)
		}
		return out
	}
	for name, c := range map[string]struct {
		hours []tenants.HourlyEgress
		want  tenants.FindingCode
		args  map[string]string
	}{
		"nothing":             {nil, "", nil},
		"a quiet hour":        {append(usual(tenants.HourlyEgress{Attempts: 100}), tenants.HourlyEgress{Hour: hour, Attempts: 120}), "", nil},
		"much, but below":     {append(usual(tenants.HourlyEgress{Refused: 10}), tenants.HourlyEgress{Hour: hour, Refused: 299}), "", nil},
		"much, but as always": {append(usual(tenants.HourlyEgress{Refused: 100}), tenants.HourlyEgress{Hour: hour, Refused: 499}), "", nil},
		"refused": {append(usual(tenants.HourlyEgress{Refused: 100}), tenants.HourlyEgress{Hour: hour, Refused: 500}), tenants.FindingEgressRefused,
			map[string]string{"count": "500", "usual": "100"}},
		"an hour ago":    {[]tenants.HourlyEgress{{Hour: hour.Add(-time.Hour), Attempts: 2000}}, tenants.FindingEgressTries, map[string]string{"count": "2000", "usual": "0"}},
		"two hours ago":  {[]tenants.HourlyEgress{{Hour: hour.Add(-2 * time.Hour), Attempts: 9000}}, "", nil},
		"without a past": {[]tenants.HourlyEgress{{Hour: hour, Bytes: 3 << 30}}, tenants.FindingEgressBytes, map[string]string{"count": "3072", "usual": "0"}},
	} {
		taker, s := newTaker(t)
		s.hours = c.hours
		if err := taker.CheckVolume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c.want == "" && len(s.open) == 0 {
			continue
		}
		f := s.open[c.want]
		if len(s.open) != 1 || f.Subject != site || !reflect.DeepEqual(f.Args, c.args) {
			t.Errorf("%s: told %+v, want %s %v", name, s.open, c.want, c.args)
		}
	}
}
