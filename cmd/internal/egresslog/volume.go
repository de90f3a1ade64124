package egresslog

import (
	"context"
	"strconv"
	"time"

	"chatiere/tenants"
)

// An hour is unusual when it reaches a floor and is unusualFactor times a site's usual hour: the average of the active hours
// of the seven days before. For a new site only the floors count. The current hour and the previous one are checked, so
// that a finding lasts long enough to be read.
const (
	unusualFactor  = 5
	baselinePeriod = 7 * 24 * time.Hour

	floorRefused = 300
	floorTries   = 2000
	floorBytes   = 2 << 30
)

// volumeChecks are the compared figures and their findings.
var volumeChecks = []struct {
	code  tenants.FindingCode
	level tenants.Level
	floor int64
	of    func(tenants.HourlyEgress) int64
	tell  func(int64) string
}{
	{tenants.FindingEgressRefused, tenants.LevelTrouble, floorRefused, func(o tenants.HourlyEgress) int64 { return o.Refused }, plain},
	{tenants.FindingEgressTries, tenants.LevelAttention, floorTries, func(o tenants.HourlyEgress) int64 { return o.Attempts }, plain},
	{tenants.FindingEgressBytes, tenants.LevelAttention, floorBytes, func(o tenants.HourlyEgress) int64 { return o.Bytes }, mebibytes},
}

func plain(n int64) string     { return strconv.FormatInt(n, 10) }
func mebibytes(n int64) string { return strconv.FormatInt(n>>20, 10) }

// CheckVolume replaces the findings about sites with an unusual hour.
func (t *Ingester) CheckVolume(ctx context.Context) error {
	hour := t.Now().UTC().Truncate(time.Hour)
	all, err := t.Records.HourlyEgress(ctx, hour.Add(-baselinePeriod))
	if err != nil {
		return err
	}
	hosts, err := t.hosts(ctx)
	if err != nil {
		return err
	}
	scope := tenants.FindingScope{Area: tenants.AreaEgress}
	var seen []tenants.Finding
	for _, m := range volumeChecks {
		scope.Codes = append(scope.Codes, m.code)
		for site, hours := range all {
			worst, usual := compare(hours, hour, m.of)
			if hosts[site] == "" || worst < m.floor || worst < unusualFactor*usual {
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

// compare returns the larger of the current hour and the previous one, and the usual hour.
func compare(hours []tenants.HourlyEgress, now time.Time, of func(tenants.HourlyEgress) int64) (worst, usual int64) {
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
