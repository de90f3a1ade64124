package tries

import (
	"context"
	"strconv"
	"time"

	"chatiere/tenants"
)

// An hour is unusual when it reaches a floor and is so many times a site's usual hour: the average of those hours of the
// seven days before in which the site did anything at all. A site without a past has the floors alone. The hour that
// runs counts, and the one before, so that an alert lasts long enough to be read.
const (
	unusual = 5
	past    = 7 * 24 * time.Hour

	floorRefused = 300
	floorTries   = 2000
	floorBytes   = 2 << 30
)

// measures are what is compared, and how it is told.
var measures = []struct {
	code  tenants.FindingCode
	level tenants.Level
	floor int64
	of    func(tenants.Outflow) int64
	tell  func(int64) string
}{
	{tenants.FindingEgressRefused, tenants.LevelTrouble, floorRefused, func(o tenants.Outflow) int64 { return o.Refused }, plain},
	{tenants.FindingEgressTries, tenants.LevelAttention, floorTries, func(o tenants.Outflow) int64 { return o.Tries }, plain},
	{tenants.FindingEgressBytes, tenants.LevelAttention, floorBytes, func(o tenants.Outflow) int64 { return o.Bytes }, mebibytes},
}

func plain(n int64) string     { return strconv.FormatInt(n, 10) }
func mebibytes(n int64) string { return strconv.FormatInt(n>>20, 10) }

// Watch says which sites have an unusual hour.
func (t *Taker) Watch(ctx context.Context) error {
	hour := t.Now().UTC().Truncate(time.Hour)
	all, err := t.Records.Outflows(ctx, hour.Add(-past))
	if err != nil {
		return err
	}
	hosts, err := t.hosts(ctx)
	if err != nil {
		return err
	}
	scope := tenants.FindingScope{Area: tenants.AreaEgress}
	var seen []tenants.Finding
	for _, m := range measures {
		scope.Codes = append(scope.Codes, m.code)
		for site, hours := range all {
			worst, usual := compare(hours, hour, m.of)
			if hosts[site] == "" || worst < m.floor || worst < unusual*usual {
				continue
			}
			seen = append(seen, tenants.Finding{
				Area: tenants.AreaEgress, Subject: site, Code: m.code, Level: m.level,
				Args: map[string]string{"count": m.tell(worst), "usual": m.tell(usual)},
			})
		}
	}
	return t.Findings.Replace(ctx, scope, seen)
}

// compare returns the larger of the hour that runs and the one before, and the usual hour.
func compare(hours []tenants.Outflow, now time.Time, of func(tenants.Outflow) int64) (worst, usual int64) {
	var sum, n int64
	for _, h := range hours {
		if h.Hour.Before(now.Add(-time.Hour)) {
			sum, n = sum+of(h), n+1
			continue
		}
		worst = max(worst, of(h))
	}
	if n > 0 {
		usual = sum / n
	}
	return worst, usual
}
