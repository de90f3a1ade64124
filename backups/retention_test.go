package backups_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"chatiere/backups"
)

func paris(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// daily returns snapshots of n days at the hour, the last on 30 November 2026; ids are their dates.
func daily(zone *time.Location, n, hour int) []backups.Snapshot {
	var out []backups.Snapshot
	for i := range n {
		at := time.Date(2026, 11, 30-i, hour, 30, 0, 0, zone)
		out = append(out, backups.Snapshot{ID: at.Format("2006-01-02"), TakenAt: at.UTC()})
	}
	return out
}

func kept(all, expired []backups.Snapshot) []string {
	var out []string
	for _, s := range all {
		if !slices.ContainsFunc(expired, func(e backups.Snapshot) bool { return e.ID == s.ID }) {
			out = append(out, s.ID)
		}
	}
	return out
}

func TestDaysWeeksAndMonthsAreKept(t *testing.T) {
	zone := paris(t)
	all := daily(zone, 500, 0) // half past midnight in Paris is the day before in UTC
	got := kept(all, backups.DefaultRetention.Expired(all, zone))
	want := []string{
		"2026-11-30", "2026-11-29", "2026-11-28", "2026-11-27", "2026-11-26", "2026-11-25", "2026-11-24",
		"2026-11-22", "2026-11-15", "2026-11-08", // with 30 and 29 November five weeks
		"2026-10-31", "2026-09-30", "2026-08-31", "2026-07-31", "2026-06-30", "2026-05-31", "2026-04-30", "2026-03-31",
		"2026-02-28", "2026-01-31", "2025-12-31",
	}
	if !slices.Equal(got, want) {
		t.Errorf("kept\n%v, want\n%v", got, want)
	}
}

func TestExpiringEveryDayKeepsWhatExpiringOnceKeeps(t *testing.T) {
	zone := paris(t)
	all := daily(zone, 400, 3)
	slices.Reverse(all)
	var have []backups.Snapshot
	for _, s := range all {
		have = append(have, s)
		for _, e := range backups.DefaultRetention.Expired(have, zone) {
			have = slices.DeleteFunc(have, func(s backups.Snapshot) bool { return s.ID == e.ID })
		}
	}
	// The daily rule alone could starve the longer ones: what is a month's last today must have been kept for it.
	months := map[string]bool{}
	for _, s := range have {
		months[s.TakenAt.In(zone).Format("2006-01")] = true
	}
	if len(months) < 12 {
		t.Errorf("%d months are left of 13: %v", len(months), kept(have, nil))
	}
	if len(have) > 7+5+12 {
		t.Errorf("%d are left", len(have))
	}
}

func TestWhatMustNeverExpire(t *testing.T) {
	zone := paris(t)
	all := daily(zone, 60, 3)
	all[40].Pinned = true
	for i := range 20 {
		all[i].MissingCount = 1 // the last complete one is 20 days old
	}
	got := kept(all, backups.Retention{Daily: 1}.Expired(all, zone))
	if want := []string{all[0].ID, all[20].ID, all[40].ID}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want the newest, the newest complete and the pinned one: %v", got, want)
	}
	if expired := (backups.Retention{}).Expired(all[:1], zone); len(expired) != 0 {
		t.Errorf("the only snapshot expired: %v", expired)
	}
}

func TestTheNewestOfADayIsKept(t *testing.T) {
	zone := paris(t)
	var all []backups.Snapshot
	for i := range 6 {
		at := time.Date(2026, 11, 28+i/3, 3+i%3, 0, 0, 0, zone)
		all = append(all, backups.Snapshot{ID: fmt.Sprint(i), TakenAt: at})
	}
	got := kept(all, backups.Retention{Latest: 1, Daily: 2}.Expired(all, zone))
	if want := []string{"2", "5"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want the newest of each day: %v", got, want)
	}
}
