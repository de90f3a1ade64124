package upkeep_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
)

func TestASilentSiteIsKnownProbedAndForgottenWhenItAnswers(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	well := tenants.Probe{At: now.Add(-10 * time.Second), Health: tenants.HealthUp}
	f, u := setUp(now, tenants.Site{ID: "s1", State: tenants.StateReady, Probe: well}, tenants.Site{ID: "s2", State: tenants.StateReady, Probe: well},
		tenants.Site{ID: "off", State: tenants.StateSuspended, Probe: well})
	f.silent["s1"] = errors.New("connection refused")
	f.down["s1"] = f.silent["s1"]
	for _, step := range []struct {
		after time.Duration
		since time.Duration // of the silence; -1: it answers
	}{{0, 0}, {20 * time.Second, 0}, {40 * time.Second, 0}, {time.Minute, -1}, {80 * time.Second, 80 * time.Second}} {
		if f.silent["s1"] = errors.New("refused"); step.since < 0 {
			delete(f.silent, "s1")
		}
		u.Now = func() time.Time { return now.Add(step.after) }
		if err := u.Pulse(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := time.Time{}
		if step.since >= 0 {
			want = now.Add(step.since)
		}
		if got := u.Silent("s1"); !got.Equal(want) {
			t.Errorf("after %s: silent since %v, want %v", step.after, got, want)
		}
		if got := u.Silent("s2"); !got.IsZero() {
			t.Errorf("after %s: the other is silent since %v", step.after, got)
		}
	}
	if slices.Contains(f.pulses, "off") {
		t.Error("a suspended site was asked")
	}
	u.Now = func() time.Time { return now }
	if err := u.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := f.probes["s1"]; p.Health != tenants.HealthDown || len(f.probes) != 1 {
		t.Errorf("probes %+v; want the silent one's alone, long before its turn", f.probes)
	}
	f.sites = f.sites[1:]
	if err := u.Pulse(t.Context()); err != nil || !u.Silent("s1").IsZero() {
		t.Errorf("a site that is gone is remembered: %v", err)
	}
}

func TestEachSiteIsAskedOnceInTwentySeconds(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	var sites []tenants.Site
	for i := range 40 {
		sites = append(sites, tenants.Site{ID: fmt.Sprint("s", i), State: tenants.StateReady})
	}
	f, u := setUp(now, sites...)
	asked := map[string]int{}
	for i := range 9 {
		f.pulses = nil
		u.Now = func() time.Time { return now.Add(time.Duration(i) * 5 * time.Second) }
		if err := u.Pulse(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue // a new worker asks everybody
		}
		if n := len(f.pulses); n == 0 || n > 30 {
			t.Errorf("round %d asked %d of 40; want a share", i, n)
		}
		for _, id := range f.pulses {
			asked[id]++
		}
	}
	for _, s := range sites {
		if asked[s.ID] != 2 {
			t.Errorf("%s was asked %d times in 40 s", s.ID, asked[s.ID])
		}
	}
}
