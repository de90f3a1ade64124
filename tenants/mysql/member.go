package mysql

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type personRecord struct {
	Subject   string `gorm:"primaryKey"`
	Username  string
	Name      string
	Email     string
	CoopAdmin bool
	SeenAt    time.Time
}

// TableName implements gorm's Tabler.
func (personRecord) TableName() string { return "people" }

type membershipRecord struct {
	AssociationID string `gorm:"primaryKey"`
	Subject       string `gorm:"primaryKey"`
	Role          string
}

// TableName implements gorm's Tabler.
func (membershipRecord) TableName() string { return "association_members" }

func personOf(m tenants.Member) personRecord {
	return personRecord{
		Subject: m.Subject, Username: database.Clip(m.Username, 255), Name: database.Clip(m.Name, 255), Email: database.Clip(m.Email, 320),
		CoopAdmin: m.CoopAdmin, SeenAt: m.SeenAt.UTC(),
	}
}

func (r personRecord) member() tenants.Member {
	return tenants.Member{
		Subject: r.Subject, Username: r.Username, Name: r.Name, Email: r.Email, CoopAdmin: r.CoopAdmin,
		Memberships: map[string]tenants.Role{}, SeenAt: r.SeenAt,
	}
}

// membership is one row of a join of people, memberships and associations.
type membership struct {
	Person personRecord `gorm:"embedded"`
	Role   string
	Slug   string
}

func (s *Store) memberships(ctx context.Context) *gorm.DB {
	return s.On(ctx).Table("association_members AS m").
		Select("p.subject, p.username, p.name, p.email, p.coop_admin, p.seen_at, m.role, a.slug").
		Joins("JOIN people AS p ON p.subject = m.subject").
		Joins("JOIN associations AS a ON a.id = m.association_id")
}

// Members returns the association's members by name, each with this one membership.
func (s *Store) Members(ctx context.Context, associationID string) ([]tenants.Member, error) {
	var rows []membership
	err := s.memberships(ctx).Where("m.association_id = ?", associationID).Order("p.name, p.subject").Scan(&rows).Error
	out := make([]tenants.Member, 0, len(rows))
	for _, row := range rows {
		m := row.Person.member()
		m.Memberships[row.Slug] = tenants.Role(row.Role)
		out = append(out, m)
	}
	return out, database.Translate("listing members", err)
}

// Person returns what Keycloak last said of a person, with all memberships.
func (s *Store) Person(ctx context.Context, subject string) (tenants.Member, error) {
	var r personRecord
	if err := s.On(ctx).Take(&r, "subject = ?", subject).Error; err != nil {
		return tenants.Member{}, database.Translate("reading a person", err)
	}
	var rows []membership
	err := s.memberships(ctx).Where("m.subject = ?", subject).Scan(&rows).Error
	m := r.member()
	for _, row := range rows {
		m.Memberships[row.Slug] = tenants.Role(row.Role)
	}
	return m, database.Translate("reading a person's memberships", err)
}

// SaveMembers makes the mirror of the association's groups equal to members. Whether somebody is an admin of the co-op
// is not for an association's groups to say: that is left as it is. Somebody who belongs to nothing any more is forgotten.
func (s *Store) SaveMembers(ctx context.Context, associationID string, members []tenants.Member) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		a, err := s.Association(ctx, associationID)
		if err != nil {
			return err
		}
		var people []personRecord
		var roles []membershipRecord
		for _, m := range members {
			people = append(people, personOf(m))
			roles = append(roles, membershipRecord{AssociationID: a.ID, Subject: m.Subject, Role: string(m.Memberships[a.Slug])})
		}
		if err := s.savePeople(ctx, people, "username", "name", "email", "seen_at"); err != nil {
			return err
		}
		return s.replaceMemberships(ctx, "association_id = ?", a.ID, roles)
	})
}

// SaveAdmins makes exactly those of the known people whose subjects are given admins of the co-op. Somebody who belongs
// to nothing any more is forgotten. An admin who never signed in is not known; the sign-in will say it.
func (s *Store) SaveAdmins(ctx context.Context, subjects []string) error {
	subjects = slices.DeleteFunc(slices.Clone(subjects), func(subject string) bool { return !plain(subject) })
	// With an empty list "NOT IN" would be true of nobody.
	subjects = append(subjects, "")
	return s.Transact(ctx, func(ctx context.Context) error {
		var former []string
		people := func() *gorm.DB { return s.On(ctx).Model(&personRecord{}) }
		err := people().Where("coop_admin AND subject NOT IN ?", subjects).Pluck("subject", &former).Error
		if err != nil {
			return database.Translate("reading the admins", err)
		}
		if err := people().Where("NOT coop_admin AND subject IN ?", subjects).Update("coop_admin", true).Error; err != nil {
			return database.Translate("saving the admins", err)
		}
		if len(former) == 0 {
			return nil
		}
		if err := people().Where("subject IN ?", former).Update("coop_admin", false).Error; err != nil {
			return database.Translate("taking the rights of admins away", err)
		}
		return s.forget(ctx, former)
	})
}

// MemberCounts returns how many people belong to each of the associations; one without members is left out.
func (s *Store) MemberCounts(ctx context.Context, associationIDs []string) (map[string]int, error) {
	counts := make(map[string]int, len(associationIDs))
	if len(associationIDs) == 0 {
		return counts, nil
	}
	var rows []struct {
		AssociationID string
		People        int
	}
	err := s.On(ctx).Model(&membershipRecord{}).Select("association_id, COUNT(*) AS people").
		Where("association_id IN ?", associationIDs).Group("association_id").Scan(&rows).Error
	for _, row := range rows {
		counts[row.AssociationID] = row.People
	}
	return counts, database.Translate("counting members", err)
}

// SaveMember writes what a sign-in says of one person: admin or not, and all memberships. Slugs without an association
// are left out.
func (s *Store) SaveMember(ctx context.Context, m tenants.Member) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		err := s.savePeople(ctx, []personRecord{personOf(m)}, "username", "name", "email", "coop_admin", "seen_at")
		if err != nil {
			return err
		}
		slugs := make([]string, 0, len(m.Memberships))
		for slug := range m.Memberships {
			slugs = append(slugs, slug)
		}
		known, err := s.AssociationsBySlugs(ctx, slugs)
		if err != nil {
			return err
		}
		var roles []membershipRecord
		for _, a := range known {
			roles = append(roles, membershipRecord{AssociationID: a.ID, Subject: m.Subject, Role: string(m.Memberships[a.Slug])})
		}
		return s.replaceMemberships(ctx, "subject = ?", m.Subject, roles)
	})
}

func (s *Store) savePeople(ctx context.Context, people []personRecord, columns ...string) error {
	if len(people) == 0 {
		return nil
	}
	return database.Translate("saving people", s.On(ctx).Clauses(clause.OnConflict{
		DoUpdates: clause.AssignmentColumns(columns),
	}).CreateInBatches(people, 200).Error)
}

func (s *Store) replaceMemberships(ctx context.Context, where, key string, roles []membershipRecord) error {
	var before []string
	if err := s.On(ctx).Model(&membershipRecord{}).Where(where, key).Pluck("subject", &before).Error; err != nil {
		return database.Translate("reading memberships", err)
	}
	if err := s.On(ctx).Where(where, key).Delete(&membershipRecord{}).Error; err != nil {
		return database.Translate("removing memberships", err)
	}
	if len(roles) > 0 {
		if err := s.On(ctx).CreateInBatches(roles, 200).Error; err != nil {
			return database.Translate("saving memberships", err)
		}
	}
	return s.forget(ctx, before)
}

// forget removes those of the given people who belong to nothing any more, are no admins of the co-op and left nothing
// inside a site.
func (s *Store) forget(ctx context.Context, subjects []string) error {
	if len(subjects) == 0 {
		return nil
	}
	return database.Translate("forgetting people", s.On(ctx).Exec(`DELETE FROM people WHERE subject IN ? AND NOT coop_admin
  AND NOT EXISTS (SELECT 1 FROM association_members AS m WHERE m.subject = people.subject)
  AND NOT EXISTS (SELECT 1 FROM site_accounts AS a WHERE a.subject = people.subject)`, subjects).Error)
}
