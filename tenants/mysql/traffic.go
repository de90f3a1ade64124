package mysql

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

// TrafficRow is what one site got in one stretch of one day.
type TrafficRow struct {
	SiteID   string
	At       time.Time // any instant of the day, which is counted as one of Europe/Paris
	Requests int64
	BytesIn  int64
	BytesOut int64
	Status   [6]int64 // by class: Status[4] counts 400 to 499; Status[0] is not used
}

// AddTraffic adds a batch of the proxy's spool; fresh is false, and nothing is added, when the batch was added before.
func (s *Store) AddTraffic(ctx context.Context, batchID string, rows []TrafficRow) (fresh bool, err error) {
	err = s.Transact(ctx, func(ctx context.Context) error {
		fresh = false
		err := s.On(ctx).Exec("INSERT INTO traffic_batches (id, ingested_at) VALUES (?, UTC_TIMESTAMP(6))", batchID).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return nil
		}
		if err != nil {
			return database.Translate("noting a traffic batch", err)
		}
		for _, row := range rows {
			if err := s.addTraffic(ctx, row); err != nil {
				return err
			}
		}
		fresh = true
		return nil
	})
	return fresh && err == nil, err
}

func (s *Store) addTraffic(ctx context.Context, r TrafficRow) error {
	return database.Translate("adding traffic", s.On(ctx).Exec(`INSERT INTO traffic_daily
  (site_id, day, requests, bytes_in, bytes_out, status1, status2, status3, status4, status5)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON DUPLICATE KEY UPDATE requests = requests + VALUES(requests), bytes_in = bytes_in + VALUES(bytes_in),
  bytes_out = bytes_out + VALUES(bytes_out), status1 = status1 + VALUES(status1), status2 = status2 + VALUES(status2),
  status3 = status3 + VALUES(status3), status4 = status4 + VALUES(status4), status5 = status5 + VALUES(status5)`,
		r.SiteID, s.day(r.At), r.Requests, r.BytesIn, r.BytesOut,
		r.Status[1], r.Status[2], r.Status[3], r.Status[4], r.Status[5]).Error)
}

// ForgetBatches removes the notes of batches added before that instant; their files must be gone by then.
func (s *Store) ForgetBatches(ctx context.Context, before time.Time) error {
	return database.Translate("forgetting traffic batches",
		s.On(ctx).Exec("DELETE FROM traffic_batches WHERE ingested_at < ?", before.UTC()).Error)
}

// RequestsToday returns the requests of each of the sites on the day (of Europe/Paris) that the instant lies in.
// Sites without any are left out.
func (s *Store) RequestsToday(ctx context.Context, siteIDs []string, day time.Time) (map[string]int64, error) {
	out := map[string]int64{}
	if len(siteIDs) == 0 {
		return out, nil
	}
	var rows []struct {
		SiteID   string
		Requests int64
	}
	err := s.On(ctx).Table("traffic_daily").Select("site_id, requests").
		Where("day = ? AND site_id IN ?", s.day(day), siteIDs).Scan(&rows).Error
	for _, r := range rows {
		out[r.SiteID] = r.Requests
	}
	return out, database.Translate("counting today's requests", err)
}

// Traffic returns the days of one site from the first to the last, as far as there was any, oldest first.
func (s *Store) Traffic(ctx context.Context, siteID string, first, last time.Time) ([]TrafficRow, error) {
	var rows []struct {
		Day                                         time.Time
		Requests, BytesIn, BytesOut                 int64
		Status1, Status2, Status3, Status4, Status5 int64
	}
	err := s.On(ctx).Table("traffic_daily").Where("site_id = ? AND day BETWEEN ? AND ?", siteID, s.day(first), s.day(last)).
		Order("day").Scan(&rows).Error
	var out []TrafficRow
	for _, r := range rows {
		noon := time.Date(r.Day.Year(), r.Day.Month(), r.Day.Day(), 12, 0, 0, 0, s.paris)
		out = append(out, TrafficRow{
			SiteID: siteID, At: noon, Requests: r.Requests, BytesIn: r.BytesIn, BytesOut: r.BytesOut,
			Status: [6]int64{0, r.Status1, r.Status2, r.Status3, r.Status4, r.Status5},
		})
	}
	return out, database.Translate("reading traffic", err)
}

func (s *Store) day(at time.Time) string { return at.In(s.paris).Format(time.DateOnly) }

// Heartbeat notes that a worker is alive, by the database's clock, and by what command people can bring it back.
func (s *Store) Heartbeat(ctx context.Context, worker, revival string) error {
	return database.Translate("noting the heartbeat", s.On(ctx).Exec(`INSERT INTO worker_heartbeat (worker, seen_at, revival)
  VALUES (?, UTC_TIMESTAMP(6), ?) ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at), revival = VALUES(revival)`,
		worker, database.Clip(revival, 2000)).Error)
}

// NoteRights notes that the worker has just read everybody's rights from the realm.
func (s *Store) NoteRights(ctx context.Context, worker string) error {
	return database.Translate("noting that rights were read", s.On(ctx).Exec(`INSERT INTO worker_heartbeat (worker, seen_at, rights_at)
  VALUES (?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE rights_at = VALUES(rights_at)`, worker).Error)
}

// RightsAge returns how long ago a worker last read everybody's rights, by the database's clock; false when none ever did.
func (s *Store) RightsAge(ctx context.Context) (age time.Duration, ever bool, err error) {
	var microseconds sql.NullInt64
	err = s.On(ctx).Raw("SELECT TIMESTAMPDIFF(MICROSECOND, MAX(rights_at), UTC_TIMESTAMP(6)) FROM worker_heartbeat").Row().Scan(&microseconds)
	return time.Duration(microseconds.Int64) * time.Microsecond, microseconds.Valid, database.Translate("reading when rights were read", err)
}

// Revival returns the command that brings the worker back, as the last one left it; "" when none ever did.
func (s *Store) Revival(ctx context.Context) (string, error) {
	var last []string
	err := s.On(ctx).Table("worker_heartbeat").Order("seen_at DESC").Limit(1).Pluck("revival", &last).Error
	if err != nil || len(last) == 0 {
		return "", database.Translate("looking for the worker's command", err)
	}
	return last[0], nil
}

// WorkerSeen returns when a worker was last alive; ErrNotFound when none ever was.
func (s *Store) WorkerSeen(ctx context.Context) (time.Time, error) {
	var seen []time.Time
	err := s.On(ctx).Table("worker_heartbeat").Order("seen_at DESC").Limit(1).Pluck("seen_at", &seen).Error
	if err == nil && len(seen) == 0 {
		return time.Time{}, database.Translate("looking for a worker", tenants.ErrNotFound)
	}
	if err != nil {
		return time.Time{}, database.Translate("looking for a worker", err)
	}
	return seen[0], nil
}
