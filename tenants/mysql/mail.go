package mysql

import (
	"context"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

// KeepMails writes how things stand with mails. The later state of each counts, whatever the order they come in, and so
// they may come twice.
func (s *Store) KeepMails(ctx context.Context, mails []tenants.Mail) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		for _, m := range mails {
			if err := s.saveMail(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// changed_at comes last: the comparisons before it are with the value that was there.
const upsertMail = `INSERT INTO mails
  (id, site_id, recipient, state, cause, code, said, attempts, accepted_at, changed_at, next_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON DUPLICATE KEY UPDATE
  state = IF(VALUES(changed_at) >= changed_at, VALUES(state), state), cause = IF(VALUES(changed_at) >= changed_at, VALUES(cause), cause),
  code = IF(VALUES(changed_at) >= changed_at, VALUES(code), code), said = IF(VALUES(changed_at) >= changed_at, VALUES(said), said),
  attempts = IF(VALUES(changed_at) >= changed_at, VALUES(attempts), attempts),
  next_at = IF(VALUES(changed_at) >= changed_at, VALUES(next_at), next_at),
  changed_at = GREATEST(VALUES(changed_at), changed_at)`

func (s *Store) saveMail(ctx context.Context, m tenants.Mail) error {
	var next *time.Time
	if !m.Next.IsZero() {
		at := m.Next.UTC()
		next = &at
	}
	return database.Translate("keeping what became of a mail", s.On(ctx).Exec(upsertMail,
		m.ID, m.SiteID, m.To, string(m.State), m.Cause, m.Code, m.Said, m.Count, m.Accepted.UTC(), m.Changed.UTC(), next).Error)
}

// DeleteMails removes what last changed before that instant.
func (s *Store) DeleteMails(ctx context.Context, before time.Time) error {
	return database.Translate("forgetting mails", s.On(ctx).Exec("DELETE FROM mails WHERE changed_at < ?", before.UTC()).Error)
}

type mailRecord struct {
	ID, SiteID, Recipient, State, Cause, Said string
	Code, Attempts                            int
	AcceptedAt, ChangedAt                     time.Time
	NextAt                                    *time.Time
}

// Mails returns the last mails of a site, the newest first.
func (s *Store) Mails(ctx context.Context, siteID string, limit int) ([]tenants.Mail, error) {
	var rows []mailRecord
	err := s.On(ctx).Table("mails").Where("site_id = ?", siteID).Order("accepted_at DESC, id DESC").Limit(limit).Scan(&rows).Error
	out := make([]tenants.Mail, 0, len(rows))
	for _, r := range rows {
		m := tenants.Mail{
			ID: r.ID, SiteID: r.SiteID, To: r.Recipient, State: tenants.MailState(r.State), Cause: r.Cause, Code: r.Code, Said: r.Said,
			Count: r.Attempts, Accepted: r.AcceptedAt, Changed: r.ChangedAt,
		}
		if r.NextAt != nil {
			m.Next = *r.NextAt
		}
		out = append(out, m)
	}
	return out, database.Translate("reading mails", err)
}

// MailFigures counts a site's mails on the day (of Europe/Paris) and in the hour that the instant lies in.
func (s *Store) MailFigures(ctx context.Context, siteID string, now time.Time) (tenants.MailFigures, error) {
	local := now.In(s.paris)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, s.paris).UTC()
	hour := now.UTC().Truncate(time.Hour)
	var f tenants.MailFigures
	err := s.On(ctx).Raw(`SELECT
  COALESCE(SUM(state = 'sent' AND changed_at >= ?), 0) AS sent,
  COALESCE(SUM(state = 'bounced' AND changed_at >= ?), 0) AS bounced,
  COALESCE(SUM(IF(state = 'refused' AND changed_at >= ?, attempts, 0)), 0) AS refused,
  COALESCE(SUM(state IN ('waiting', 'deferred')), 0) AS waiting,
  COALESCE(SUM((state = 'sent' OR state = 'bounced' AND cause = 'refused') AND changed_at >= ?), 0) AS hour
  FROM mails WHERE site_id = ?`, midnight, midnight, midnight, hour, siteID).Scan(&f).Error
	return f, database.Translate("counting mails", err)
}

// recentMail bounds what trouble is looked for in: what has not moved for longer is known already.
const recentMail = 72 * time.Hour

// MailTroubles tells of each site with mail of the last days.
func (s *Store) MailTroubles(ctx context.Context, now time.Time) ([]tenants.MailTrouble, error) {
	now = now.UTC()
	var out []tenants.MailTrouble
	err := s.On(ctx).Raw(`SELECT site_id,
  SUM(state = 'deferred' AND cause = 'smarthost' AND accepted_at < ?) AS stuck,
  SUM(state = 'waiting' AND cause = 'quota') AS over_one,
  SUM(IF(state = 'refused' AND cause = 'full' AND changed_at >= ?, attempts, 0)) AS full,
  SUM(state = 'sent' AND changed_at >= ?) AS sent,
  SUM(state = 'bounced' AND changed_at >= ?) AS bounced
  FROM mails WHERE changed_at >= ? GROUP BY site_id`,
		now.Add(-tenants.MailPatience), now.Add(-time.Hour), now.Add(-24*time.Hour), now.Add(-24*time.Hour), now.Add(-recentMail)).Scan(&out).Error
	return out, database.Translate("looking for trouble with mail", err)
}
