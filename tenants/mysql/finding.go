package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type findingRecord struct {
	Area    string `gorm:"primaryKey"`
	Subject string `gorm:"primaryKey"`
	Code    string `gorm:"primaryKey"`
	Level   string
	Args    string // a JSON object
	Since   time.Time
	Seen    time.Time
	EndedAt *time.Time
}

// TableName implements gorm's Tabler.
func (findingRecord) TableName() string { return "findings" }

func (r findingRecord) finding() (tenants.Finding, error) {
	f := tenants.Finding{
		Area: tenants.Area(r.Area), Subject: r.Subject, Code: tenants.FindingCode(r.Code), Level: tenants.Level(r.Level),
		Since: r.Since, Seen: r.Seen, Ended: r.EndedAt,
	}
	if err := json.Unmarshal([]byte(r.Args), &f.Args); err != nil {
		return f, fmt.Errorf("reading the finding %s about %s: %w", r.Code, r.Subject, err)
	}
	return f, nil
}

type findingKey struct {
	subject string
	code    tenants.FindingCode
}

// refreshFinding is how old the last sight of an open finding may grow before it is written again.
const refreshFinding = time.Minute

// ReplaceFindings implements findings.Records.
func (s *Store) ReplaceFindings(ctx context.Context, scope tenants.FindingScope, at time.Time, seen []tenants.Finding) (opened, ended []tenants.Finding, err error) {
	if len(seen) == 0 { // as usual, many times a minute: one question will do if nothing is open either
		open, err := s.openFindings(ctx, scope)
		if err != nil || len(open) == 0 {
			return nil, nil, err
		}
	}
	err = s.Transact(ctx, func(ctx context.Context) error {
		opened, ended = nil, nil
		open, err := s.openFindings(ctx, scope)
		if err != nil {
			return err
		}
		for _, f := range seen {
			key := findingKey{f.Subject, f.Code}
			before, held := open[key]
			delete(open, key)
			f.Since, f.Seen = at.UTC(), at.UTC()
			if held {
				f.Since = before.Since
			} else {
				opened = append(opened, f)
			}
			if held && before.Level == f.Level && maps.Equal(before.Args, f.Args) && at.Sub(before.Seen) < refreshFinding {
				continue
			}
			if err := s.writeFinding(ctx, f); err != nil {
				return err
			}
		}
		ended, err = s.endFindings(ctx, open, at.UTC())
		return err
	})
	return opened, ended, err
}

func (s *Store) openFindings(ctx context.Context, scope tenants.FindingScope) (map[findingKey]tenants.Finding, error) {
	q := s.On(ctx).Where("area = ? AND ended_at IS NULL", string(scope.Area))
	if scope.Subjects != nil {
		q = q.Where("subject IN ?", nonEmpty(scope.Subjects))
	}
	if scope.Codes != nil {
		q = q.Where("code IN ?", nonEmpty(scope.Codes))
	}
	found, err := findingsOf(q)
	open := make(map[findingKey]tenants.Finding, len(found))
	for _, f := range found {
		open[findingKey{f.Subject, f.Code}] = f
	}
	return open, err
}

// nonEmpty keeps a list that may be empty from becoming no condition at all.
func nonEmpty[T ~string](list []T) []string {
	out := []string{""}
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}

func findingsOf(q *gorm.DB) ([]tenants.Finding, error) {
	var rs []findingRecord
	if err := q.Find(&rs).Error; err != nil {
		return nil, database.Translate("reading findings", err)
	}
	out := make([]tenants.Finding, 0, len(rs))
	for _, r := range rs {
		f, err := r.finding()
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (s *Store) writeFinding(ctx context.Context, f tenants.Finding) error {
	args := f.Args
	if args == nil {
		args = map[string]string{}
	}
	text, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("writing a finding: %w", err)
	}
	return database.Translate("writing a finding", s.On(ctx).Exec(`INSERT INTO findings (area, subject, code, level, args, since, seen, ended_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, NULL)
  ON DUPLICATE KEY UPDATE level = VALUES(level), args = VALUES(args), since = VALUES(since), seen = VALUES(seen), ended_at = NULL`,
		string(f.Area), f.Subject, string(f.Code), string(f.Level), string(text), f.Since, f.Seen).Error)
}

func (s *Store) endFindings(ctx context.Context, over map[findingKey]tenants.Finding, at time.Time) ([]tenants.Finding, error) {
	var ended []tenants.Finding
	for key, f := range over {
		err := s.On(ctx).Exec("UPDATE findings SET ended_at = ? WHERE area = ? AND subject = ? AND code = ?",
			at, string(f.Area), key.subject, string(key.code)).Error
		if err != nil {
			return nil, database.Translate("ending a finding", err)
		}
		f.Ended = &at
		ended = append(ended, f)
	}
	return ended, nil
}

// DeleteFindings implements findings.Records.
func (s *Store) DeleteFindings(ctx context.Context, before time.Time) error {
	return database.Translate("forgetting findings", s.On(ctx).Exec("DELETE FROM findings WHERE ended_at < ?", before.UTC()).Error)
}

// Findings lists what passes the filter, open ones first, the newest first.
func (s *Store) Findings(ctx context.Context, f tenants.FindingFilter) ([]tenants.Finding, error) {
	q := s.On(ctx).Order("ended_at IS NOT NULL, since DESC, subject, code")
	if f.EndedAfter.IsZero() {
		q = q.Where("ended_at IS NULL")
	} else {
		q = q.Where("(ended_at IS NULL OR ended_at > ?)", f.EndedAfter.UTC())
	}
	if f.Area != "" {
		q = q.Where("area = ?", string(f.Area))
	}
	if f.Subject != "" {
		q = q.Where("subject = ?", f.Subject)
	}
	return findingsOf(q)
}
