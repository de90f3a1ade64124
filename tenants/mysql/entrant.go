package mysql

import (
	"context"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

// SignedOut notes that all sessions of a person ended. Somebody who is not known has none.
func (s *Store) SignedOut(ctx context.Context, subject string, at time.Time) error {
	return database.Translate("noting the end of somebody's sessions",
		s.On(ctx).Model(&personRecord{}).Where("subject = ?", subject).Update("signed_out_at", at.UTC()).Error)
}

// Entrants returns who may enter the sites of each association, by its id, and of all of them, under "".
func (s *Store) Entrants(ctx context.Context) (map[string][]tenants.Entrant, error) {
	var rows []struct {
		AssociationID string
		Subject       string
		SignedOutAt   *time.Time
	}
	err := s.On(ctx).Raw(`SELECT '' AS association_id, subject, signed_out_at FROM people WHERE coop_admin
  UNION ALL SELECT m.association_id, p.subject, p.signed_out_at FROM association_members AS m JOIN people AS p ON p.subject = m.subject
  WHERE m.role = ?`, string(tenants.RoleManager)).Scan(&rows).Error
	out := map[string][]tenants.Entrant{}
	for _, r := range rows {
		e := tenants.Entrant{Subject: r.Subject}
		if r.SignedOutAt != nil {
			e.SignedOutAt = *r.SignedOutAt
		}
		out[r.AssociationID] = append(out[r.AssociationID], e)
	}
	return out, database.Translate("listing who may enter sites", err)
}

const longestSubject = 190

type siteAccountRecord struct {
	SiteID        string `gorm:"primaryKey"`
	Login         string `gorm:"primaryKey"`
	Subject       string `gorm:"primaryKey"`
	Local         bool
	Administrator bool
	AppKeys       int
}

// TableName implements gorm's Tabler.
func (siteAccountRecord) TableName() string { return "site_accounts" }

// SaveSiteAccounts replaces what is known of one site's accounts, and forgets those of sites that are gone. Somebody who
// belonged to nothing else is forgotten with the last of theirs.
func (s *Store) SaveSiteAccounts(ctx context.Context, siteID string, accounts []tenants.SiteAccount) error {
	var rows []siteAccountRecord
	for _, a := range accounts {
		subjects := slices.DeleteFunc(slices.Clone(a.Subjects), func(subject string) bool { return !plain(subject) || len(subject) > longestSubject })
		slices.Sort(subjects)
		if len(subjects) == 0 {
			subjects = []string{""}
		}
		for _, subject := range slices.Compact(subjects) {
			rows = append(rows, siteAccountRecord{
				SiteID: siteID, Login: database.Clip(a.Login, 60), Subject: subject, Local: a.Local, Administrator: a.Administrator, AppKeys: a.Keys,
			})
		}
	}
	const replaced = "site_id = ? OR site_id NOT IN (SELECT id FROM sites WHERE state IN ?)"
	return s.Transact(ctx, func(ctx context.Context) error {
		var former []string
		if err := s.On(ctx).Model(&siteAccountRecord{}).Where(replaced, siteID, liveStates).Distinct().Pluck("subject", &former).Error; err != nil {
			return database.Translate("reading the accounts of a site", err)
		}
		if err := s.On(ctx).Where(replaced, siteID, liveStates).Delete(&siteAccountRecord{}).Error; err != nil {
			return database.Translate("replacing the accounts of a site", err)
		}
		if len(rows) > 0 {
			if err := s.On(ctx).CreateInBatches(rows, 200).Error; err != nil {
				return database.Translate("saving the accounts of a site", err)
			}
		}
		return s.forget(ctx, former)
	})
}

// SiteAccountsOf returns a person's accounts inside sites, and those there that let in without the panel and that they
// had in their hands, or of which nobody knows who had, in sites where they have an account.
func (s *Store) SiteAccountsOf(ctx context.Context, subject string) ([]tenants.SiteAccount, error) {
	var rows []siteAccountRecord
	err := s.On(ctx).Raw(`SELECT a.* FROM site_accounts AS a JOIN sites AS x ON x.id = a.site_id
  WHERE a.subject = ? OR a.local AND a.subject = '' AND a.site_id IN (SELECT site_id FROM site_accounts WHERE subject = ?)
  ORDER BY x.host, a.local, a.login`, subject, subject).Scan(&rows).Error
	out := make([]tenants.SiteAccount, 0, len(rows))
	for _, r := range rows {
		a := tenants.SiteAccount{SiteID: r.SiteID, Login: r.Login, Local: r.Local, Administrator: r.Administrator, Keys: r.AppKeys}
		if r.Subject != "" {
			a.Subjects = []string{r.Subject}
		}
		out = append(out, a)
	}
	return out, database.Translate("listing somebody's accounts inside sites", err)
}
