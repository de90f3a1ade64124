package jobs_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
)

func TestASilentSiteIsKnownAndNotedAsDownUntilItAnswers(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	well := tenants.Probe{At: now.Add(-10 * time.Second), Health: tenants.HealthUp}
	f, u := setUp(now, tenants.Site{ID: "s1", State: tenants.StateReady, Probe: well}, tenants.Site{ID: "s2", State: tenants.StateReady, Probe: well},
		tenants.Site{ID: "off", State: tenants.StateSuspended, Probe: well})
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
		if got := u.SilentSince("s1"); !got.Equal(want) {
			t.Errorf("after %s: silent since %v, want %v", step.after, got, want)
		}
		if got := u.SilentSince("s2"); !got.IsZero() {
			t.Errorf("after %s: the other is silent since %v", step.after, got)
		}
	}
	if slices.Contains(f.pulses, "off") {
		t.Error("a suspended site was asked")
	}
	want := map[string]tenants.Probe{"s1": {At: now.Add(80 * time.Second), Health: tenants.HealthDown, Detail: "refused"}}
	if !reflect.DeepEqual(f.probes, want) {
		t.Errorf("noted %+v, want %+v", f.probes, want)
	}
	f.sites = f.sites[1:]
	if err := u.Pulse(t.Context()); err != nil || !u.SilentSince("s1").IsZero() {
		t.Errorf("a site that is gone is remembered: %v", err)
	}
}

// What is no image of ours has no such address: it would be restarted for that it does not answer there.
func TestOnlyImagesOfOursAreAskedForAPulse(t *testing.T) {
	site := func(id string, foreign bool) tenants.Site {
		return tenants.Site{ID: id, State: tenants.StateReady, Release: tenants.Release{
			Containers: []tenants.ReleaseContainer{{Name: "net"}, {Name: "app", Front: true, Foreign: foreign}},
		}}
	}
	f, u := setUp(time.Now(), site("s1", false), site("s2", true))
	f.silent["s2"] = errors.New("refused")
	if err := u.Pulse(t.Context()); err != nil || !slices.Equal(f.pulses, []string{"s1"}) || !u.SilentSince("s2").IsZero() {
		t.Errorf("asked %v (%v)", f.pulses, err)
	}
}

func TestASiteThatAnswersAgainIsProbedAtOnce(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	fresh := tenants.Probe{At: now, Health: tenants.HealthUp}
	f, u := setUp(now, tenants.Site{ID: "s1", State: tenants.StateReady, Probe: fresh}, tenants.Site{ID: "s2", State: tenants.StateReady, Probe: fresh})
	f.silent["s1"] = errors.New("refused")
	pulse := func(after time.Duration) {
		t.Helper()
		u.Now = func() time.Time { return now.Add(after) }
		if err := u.Pulse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pulse(0)
	f.sites[0].Probe = f.probes["s1"]
	f.sites[0].Probe.At = now.Add(10 * time.Second) // noted down not long ago
	delete(f.silent, "s1")
	delete(f.probes, "s1")
	pulse(20 * time.Second)
	if err := u.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := f.probes["s1"]; p.Health != tenants.HealthUp || len(f.probes) != 1 {
		t.Errorf("noted %+v, want the one that was silent, as well again", f.probes)
	}
}

func TestEachSiteIsAskedOnceInFifteenSeconds(t *testing.T) {
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	var sites []tenants.Site
	for i := range 40 {
		sites = append(sites, tenants.Site{ID: fmt.Sprint("s", i), State: tenants.StateReady})
	}
	f, u := setUp(now, sites...)
	asked := map[string]int{}
	for i := range 7 {
		f.pulses = nil
		u.Now = func() time.Time { return now.Add(time.Duration(i) * 5 * time.Second) }
		if err := u.Pulse(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue // a new worker asks everybody
		}
		if n := len(f.pulses); n == 0 || n > 35 {
			t.Errorf("round %d asked %d of 40; want a share", i, n)
		}
		for _, id := range f.pulses {
			asked[id]++
		}
	}
	for _, s := range sites {
		if asked[s.ID] != 2 {
			t.Errorf("%s was asked %d times in 30 s", s.ID, asked[s.ID])
		}
	}
}
