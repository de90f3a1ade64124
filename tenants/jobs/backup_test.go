package jobs_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/jobs"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// night records which sites were asked for, and saves them at once.
type night struct {
	sites  []tenants.Site
	newest map[string]time.Time
	now    time.Time
	asked  map[string][]time.Time
	keys   map[string]bool
}

func (n *night) LiveSites(context.Context) ([]tenants.Site, error) { return n.sites, nil }

func (n *night) NewestSnapshots(context.Context) (map[string]time.Time, error) { return n.newest, nil }

func (n *night) BackUpSite(_ context.Context, r provision.Request, id string) (operations.Operation, error) {
	if r.Principal.Kind != tenants.KindSystem {
		return operations.Operation{}, fmt.Errorf("asked by %+v", r.Principal)
	}
	if !n.keys[r.Key] {
		n.keys[r.Key] = true
		n.asked[id] = append(n.asked[id], n.now)
	}
	return operations.Operation{}, nil
}

func newNight(t *testing.T, sites int) (*night, *jobs.Backups) {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	n := &night{newest: map[string]time.Time{}, asked: map[string][]time.Time{}, keys: map[string]bool{}}
	for i := range sites {
		s := tenants.Site{ID: fmt.Sprintf("s%09d", i), State: tenants.StateReady}
		s.Release.ID = "r"
		n.sites = append(n.sites, s)
	}
	return n, &jobs.Backups{Records: n, Requests: n, Zone: zone, Now: func() time.Time { return n.now }}
}

// pass lets the job run every five minutes.
func (n *night) pass(t *testing.T, b *jobs.Backups, from, to time.Time) {
	t.Helper()
	for n.now = from; n.now.Before(to); n.now = n.now.Add(5 * time.Minute) {
		if err := b.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachSiteIsBackedUpOnceANightAndNeverInTheHourThatTheClockChanges(t *testing.T) {
	// The nights of both changes of the clock are among them.
	for _, day := range []time.Time{time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), time.Date(2027, 3, 27, 12, 0, 0, 0, time.UTC)} {
		n, b := newNight(t, 500)
		for _, s := range n.sites {
			n.newest[s.ID] = day
		}
		n.pass(t, b, day, day.AddDate(0, 0, 1))
		hours := map[int]int{}
		for _, s := range n.sites {
			if len(n.asked[s.ID]) != 1 {
				t.Fatalf("site %s was asked for %d times in the night after %s", s.ID, len(n.asked[s.ID]), day)
			}
			hours[n.asked[s.ID][0].In(b.Zone).Hour()]++
		}
		if hours[2] > 0 {
			t.Errorf("%d backups began between two and three", hours[2])
		}
		if got := slices.Sorted(maps.Keys(hours)); !slices.Equal(got, []int{0, 1, 3, 4, 5}) {
			t.Errorf("backups began in the hours %v", hours)
		}
	}
}

func TestAMissedNightIsMadeUpFor(t *testing.T) {
	n, b := newNight(t, 3)
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	n.newest[n.sites[0].ID] = noon.AddDate(0, 0, -1) // a night ago the machine was off
	n.newest[n.sites[1].ID] = noon.Add(-8 * time.Hour)
	n.pass(t, b, noon, noon.Add(20*time.Minute))
	got := [3]int{len(n.asked[n.sites[0].ID]), len(n.asked[n.sites[1].ID]), len(n.asked[n.sites[2].ID])}
	if got != [3]int{1, 0, 1} {
		t.Errorf("asked %v times, want once for the site that was missed and once for the one that was never saved", got)
	}
}

func TestWhatIsNotBackedUpAtNight(t *testing.T) {
	n, b := newNight(t, 5)
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	n.sites[0].State = tenants.StateBinned
	n.sites[1].State = tenants.StateCreating
	n.sites[2].Release.ID = ""
	n.sites[3].CreatedAt = noon.Add(-time.Hour)
	n.sites[4].State = tenants.StateSuspended
	n.pass(t, b, noon, noon.Add(5*time.Minute))
	if len(n.asked) != 1 || len(n.asked[n.sites[4].ID]) != 1 {
		t.Errorf("asked for %v, want the suspended site alone", n.asked)
	}
}
