package backups

import (
	"slices"
	"time"
)

// Retention says how many snapshots of one subject are kept: the newest of each of the last so many days, weeks and months
// that have one. Days begin at midnight in the co-op's time zone, weeks on Monday.
type Retention struct {
	Daily, Weekly, Monthly int
	// Latest is how many of the newest are kept whatever their day.
	Latest int
}

// DefaultRetention is what is kept where nobody chose otherwise.
var DefaultRetention = Retention{Latest: 2, Daily: 7, Weekly: 5, Monthly: 12}

// Expired returns the snapshots that need not be kept, oldest first. Pinned ones are never among them, nor is the newest
// complete one. The clock is not asked: a co-op whose backups stopped keeps what it has.
func (r Retention) Expired(snapshots []Snapshot, zone *time.Location) []Snapshot {
	ordered := slices.SortedStableFunc(slices.Values(snapshots), func(a, b Snapshot) int { return b.TakenAt.Compare(a.TakenAt) })
	kept := map[string]bool{}
	for _, s := range ordered[:min(len(ordered), max(r.Latest, 1))] {
		kept[s.ID] = true
	}
	if i := slices.IndexFunc(ordered, func(s Snapshot) bool { return s.MissingCount == 0 }); i >= 0 {
		kept[ordered[i].ID] = true
	}
	for _, rule := range []struct {
		periods int
		of      func(time.Time) time.Time
	}{{r.Daily, day}, {r.Weekly, week}, {r.Monthly, month}} {
		seen := map[time.Time]bool{}
		for _, s := range ordered {
			period := rule.of(s.TakenAt.In(zone))
			if !seen[period] && len(seen) < rule.periods {
				seen[period], kept[s.ID] = true, true
			}
		}
	}
	expired := slices.DeleteFunc(ordered, func(s Snapshot) bool { return s.Pinned || kept[s.ID] })
	slices.Reverse(expired)
	return expired
}

func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func week(t time.Time) time.Time {
	return day(t).AddDate(0, 0, -(int(t.Weekday())+6)%7)
}

func month(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}
