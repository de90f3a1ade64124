package mysql

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

// keptAttempts is how many rows one site has for one day and one decision, beside the row of the others.
const keptAttempts = 200

// AddAttempts adds a batch of the gateway's spool; fresh is false, and nothing is added, when the batch was added before.
// Of each site's day the names tried most stay apart, and the others are summed under no name.
func (s *Store) AddAttempts(ctx context.Context, batchID string, tries []tenants.EgressAttempt) (fresh bool, err error) {
	err = s.Transact(ctx, func(ctx context.Context) error {
		fresh = false
		err := s.On(ctx).Exec("INSERT INTO egress_batches (id, ingested_at) VALUES (?, UTC_TIMESTAMP(6))", batchID).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return nil
		}
		if err != nil {
			return database.Translate("noting a batch of tries", err)
		}
		buckets := map[bucket]int{}
		for _, t := range tries {
			if err := s.addAttempt(ctx, t); err != nil {
				return err
			}
			buckets[bucket{t.SiteID, s.day(t.First), t.Decision}]++
		}
		for h := range buckets {
			if err := s.collapseTail(ctx, h); err != nil {
				return err
			}
		}
		fresh = true
		return nil
	})
	return fresh && err == nil, err
}

// bucket is the rows of one site, day and decision, whose number is bounded.
type bucket struct {
	site, day string
	decision  tenants.EgressDecision
}

func (s *Store) addAttempt(ctx context.Context, t tenants.EgressAttempt) error {
	err := s.On(ctx).Exec(`INSERT INTO egress_daily
  (site_id, day, name, port, decision, reason, tries, sent, received, first_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON DUPLICATE KEY UPDATE reason = IF(VALUES(last_at) >= last_at, VALUES(reason), reason), tries = tries + VALUES(tries),
  sent = sent + VALUES(sent), received = received + VALUES(received),
  first_at = LEAST(first_at, VALUES(first_at)), last_at = GREATEST(last_at, VALUES(last_at))`,
		t.SiteID, s.day(t.First), t.Name, t.Port, string(t.Decision), database.Clip(t.Reason, 64), t.Count, t.Sent, t.Received,
		t.First.UTC(), t.Last.UTC()).Error
	if err != nil {
		return database.Translate("adding a try", err)
	}
	refused := int64(0)
	if t.Decision == tenants.EgressRefused {
		refused = t.Count
	}
	return database.Translate("adding to an hour's tries", s.On(ctx).Exec(`INSERT INTO egress_hourly (site_id, hour, tries, refused, bytes)
  VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE tries = tries + VALUES(tries), refused = refused + VALUES(refused),
  bytes = bytes + VALUES(bytes)`, t.SiteID, t.First.UTC().Truncate(time.Hour), t.Count, refused, t.Sent+t.Received).Error)
}

// collapseTail adds the names with the fewest attempts to the row without a name, if there are too many. Among equals the
// one that was not seen for longest goes.
func (s *Store) collapseTail(ctx context.Context, h bucket) error {
	where := "site_id = ? AND day = ? AND decision = ? AND name <> ''"
	var least []struct {
		Name string
		Port int
	}
	err := s.On(ctx).Table("egress_daily").Select("name, port").Where(where, h.site, h.day, string(h.decision)).
		Order("tries DESC, last_at DESC, name, port").Offset(keptAttempts).Limit(100_000).Scan(&least).Error
	if err != nil {
		return database.Translate("looking for the least tried names", err)
	}
	for _, l := range least {
		one := where + " AND name = ? AND port = ?"
		key := []any{h.site, h.day, string(h.decision), l.Name, l.Port}
		err := s.On(ctx).Exec(`INSERT INTO egress_daily
  (site_id, day, name, port, decision, reason, tries, sent, received, first_at, last_at)
  SELECT site_id, day, '', 0, decision, 'many names', tries, sent, received, first_at, last_at FROM egress_daily AS one WHERE `+one+`
  ON DUPLICATE KEY UPDATE tries = egress_daily.tries + VALUES(tries), sent = egress_daily.sent + VALUES(sent),
  received = egress_daily.received + VALUES(received), first_at = LEAST(egress_daily.first_at, VALUES(first_at)),
  last_at = GREATEST(egress_daily.last_at, VALUES(last_at))`, key...).Error
		if err == nil {
			err = s.On(ctx).Exec("DELETE FROM egress_daily WHERE "+one, key...).Error
		}
		if err != nil {
			return database.Translate("summing the least tried names", err)
		}
	}
	return nil
}

// DeleteAttempts removes what was tried before that instant, and the notes of batches that old.
func (s *Store) DeleteAttempts(ctx context.Context, before time.Time) error {
	for statement, value := range map[string]any{
		"DELETE FROM egress_daily WHERE day < ?":           s.day(before),
		"DELETE FROM egress_hourly WHERE hour < ?":         before.UTC(),
		"DELETE FROM egress_batches WHERE ingested_at < ?": before.UTC(),
	} {
		if err := s.On(ctx).Exec(statement, value).Error; err != nil {
			return database.Translate("forgetting tries", err)
		}
	}
	return nil
}

// Attempts sums what a site tried since the day of that instant, the last first.
func (s *Store) Attempts(ctx context.Context, siteID string, since time.Time) ([]tenants.EgressAttempt, error) {
	var rows []struct {
		Name, Decision, Reason string
		Port                   int
		Tries, Sent, Received  int64
		First, Last            time.Time
	}
	// The reason is the last one's: it stands behind a time of 20 signs.
	err := s.On(ctx).Raw(`SELECT name, port, decision, SUM(tries) AS tries, SUM(sent) AS sent, SUM(received) AS received,
  MIN(first_at) AS first, MAX(last_at) AS last,
  SUBSTRING(MAX(CONCAT(DATE_FORMAT(last_at, '%Y%m%d%H%i%s%f'), reason)), 21) AS reason
  FROM egress_daily WHERE site_id = ? AND day >= ? GROUP BY name, port, decision ORDER BY last DESC, name, port LIMIT 2000`,
		siteID, s.day(since)).Scan(&rows).Error
	out := make([]tenants.EgressAttempt, 0, len(rows))
	for _, r := range rows {
		out = append(out, tenants.EgressAttempt{
			SiteID: siteID, Name: r.Name, Port: r.Port, Decision: tenants.EgressDecision(r.Decision), Reason: r.Reason, Count: r.Tries,
			Sent: r.Sent, Received: r.Received, First: r.First, Last: r.Last,
		})
	}
	return out, database.Translate("reading tries", err)
}

// HourlyEgress returns the hours of each site since that instant in which it did anything, oldest first.
func (s *Store) HourlyEgress(ctx context.Context, since time.Time) (map[string][]tenants.HourlyEgress, error) {
	var rows []struct {
		SiteID                string
		Hour                  time.Time
		Tries, Refused, Bytes int64
	}
	err := s.On(ctx).Table("egress_hourly").Where("hour >= ?", since.UTC()).Order("site_id, hour").Scan(&rows).Error
	if err != nil {
		return nil, database.Translate("reading the hours of tries", err)
	}
	out := map[string][]tenants.HourlyEgress{}
	for _, r := range rows {
		out[r.SiteID] = append(out[r.SiteID], tenants.HourlyEgress{Hour: r.Hour, Attempts: r.Tries, Refused: r.Refused, Bytes: r.Bytes})
	}
	return out, nil
}
