package mysql

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type associationRecord struct {
	ID        string `gorm:"primaryKey"`
	Slug      string
	Name      string
	GroupID   string
	State     string
	CreatedAt time.Time
}

// TableName implements gorm's Tabler.
func (associationRecord) TableName() string { return "associations" }

func (r associationRecord) association() tenants.Association {
	return tenants.Association{
		ID: r.ID, Slug: r.Slug, Name: r.Name, GroupID: r.GroupID,
		State: tenants.AssociationState(r.State), CreatedAt: r.CreatedAt,
	}
}

// CreateAssociation inserts it; ErrConflict when another has the slug.
func (s *Store) CreateAssociation(ctx context.Context, a tenants.Association) error {
	return database.Translate("inserting association "+a.ID, s.On(ctx).Create(&associationRecord{
		ID: a.ID, Slug: a.Slug, Name: a.Name, GroupID: a.GroupID, State: string(a.State), CreatedAt: a.CreatedAt.UTC(),
	}).Error)
}

// UpdateAssociation writes all but id and time. A slug names groups, so the use cases change it only when its association was
// never made, which frees it.
func (s *Store) UpdateAssociation(ctx context.Context, a tenants.Association) error {
	return database.Changed("updating association "+a.ID, s.On(ctx).Model(&associationRecord{}).Where("id = ?", a.ID).Updates(map[string]any{
		"slug": a.Slug, "name": a.Name, "group_id": a.GroupID, "state": string(a.State),
	}))
}

// Association returns one by id.
func (s *Store) Association(ctx context.Context, id string) (tenants.Association, error) {
	var r associationRecord
	err := s.On(ctx).Take(&r, "id = ?", id).Error
	return r.association(), database.Translate("reading association "+id, err)
}

// AssociationBySlug returns one by slug; a deleted one is not found.
func (s *Store) AssociationBySlug(ctx context.Context, slug string) (tenants.Association, error) {
	var r associationRecord
	err := s.On(ctx).Take(&r, "slug = ? AND state <> ?", slug, tenants.AssociationDeleted).Error
	return r.association(), database.Translate("reading an association by slug", err)
}

// Associations returns all that are not deleted, by name.
func (s *Store) Associations(ctx context.Context) ([]tenants.Association, error) {
	var rs []associationRecord
	err := s.On(ctx).Where("state <> ?", tenants.AssociationDeleted).Order("name, id").Find(&rs).Error
	return associations(rs), database.Translate("listing the associations", err)
}

// AssociationsBySlugs returns those of the given slugs that are not deleted, by name; unknown slugs are left out.
func (s *Store) AssociationsBySlugs(ctx context.Context, slugs []string) ([]tenants.Association, error) {
	// Slugs come from group names, which anybody may have given in Keycloak: one of other signs must not spoil the rest.
	slugs = slices.DeleteFunc(slices.Clone(slugs), func(slug string) bool { return !plain(slug) })
	if len(slugs) == 0 {
		return nil, nil
	}
	var rs []associationRecord
	err := s.On(ctx).Where("slug IN ? AND state <> ?", slugs, tenants.AssociationDeleted).Order("name, id").Find(&rs).Error
	return associations(rs), database.Translate("listing associations by slug", err)
}

func plain(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII })
}

func associations(rs []associationRecord) []tenants.Association {
	out := make([]tenants.Association, 0, len(rs))
	for _, r := range rs {
		out = append(out, r.association())
	}
	return out
}
