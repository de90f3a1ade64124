package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type releaseRecord struct {
	ID             string `gorm:"primaryKey"`
	SiteID         string
	Number         int
	Template       string
	Version        string
	Mode           string
	Generation     int
	Sockets        string
	DatabaseEngine string
	Places         string // one a line
	Containers     string // JSON, see tenants.ReleaseContainer
	CreatedAt      time.Time
	OperationID    *string
}

// TableName implements gorm's Tabler.
func (releaseRecord) TableName() string { return "releases" }

// definitionRecord is a release with its definition. gorm passes over an embedded struct whose name is not exported.
type definitionRecord struct {
	Release    releaseRecord `gorm:"embedded"`
	Definition string        // JSON, see tenants.Definition
}

// TableName implements gorm's Tabler.
func (definitionRecord) TableName() string { return "releases" }

func (r releaseRecord) release() (tenants.Release, error) {
	out := tenants.Release{
		ID: r.ID, SiteID: r.SiteID, Number: r.Number, Template: r.Template, Version: r.Version, Mode: r.Mode, Generation: r.Generation,
		Sockets: r.Sockets, DatabaseEngine: r.DatabaseEngine, CreatedAt: r.CreatedAt,
	}
	if r.OperationID != nil {
		out.OperationID = *r.OperationID
	}
	if r.Places != "" {
		out.Places = strings.Split(r.Places, "\n")
	}
	if r.Containers == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(r.Containers), &out.Containers); err != nil {
		return out, fmt.Errorf("reading the containers of release %s: %w", r.ID, err)
	}
	return out, nil
}

// CreateRelease inserts a release. One that the same operation made already takes its place in r: the step that makes it may
// be repeated. ErrConflict when the site has a release of that number.
func (s *Store) CreateRelease(ctx context.Context, r *tenants.Release, d tenants.Definition) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		made, err := s.releaseOf(ctx, r.SiteID, r.OperationID)
		if err != nil || made.ID != "" {
			*r = made
			return err
		}
		record, err := newRelease(*r, d)
		if err != nil {
			return err
		}
		if err := s.On(ctx).Create(&record).Error; err != nil {
			return database.Translate("inserting a release of site "+r.SiteID, err)
		}
		return nil
	})
}

// NextRelease returns the number that the site's next release gets. Only an operation on the site makes releases, and
// operations on one site exclude each other.
func (s *Store) NextRelease(ctx context.Context, siteID string) (int, error) {
	var last *int
	err := s.On(ctx).Model(&releaseRecord{}).Where("site_id = ?", siteID).Select("MAX(number)").Scan(&last).Error
	if err != nil {
		return 0, database.Translate("counting the releases of site "+siteID, err)
	}
	if last == nil {
		return 1, nil
	}
	return *last + 1, nil
}

func (s *Store) releaseOf(ctx context.Context, siteID, operationID string) (tenants.Release, error) {
	var found []releaseRecord
	if operationID == "" {
		return tenants.Release{}, nil
	}
	err := s.On(ctx).Where("site_id = ? AND operation_id = ?", siteID, operationID).Find(&found).Error
	if err != nil || len(found) == 0 {
		return tenants.Release{}, database.Translate("looking for a release of site "+siteID, err)
	}
	return found[0].release()
}

func newRelease(r tenants.Release, d tenants.Definition) (definitionRecord, error) {
	containers, err := json.Marshal(r.Containers)
	if err != nil {
		return definitionRecord{}, err
	}
	definition, err := json.Marshal(d)
	if err != nil {
		return definitionRecord{}, err
	}
	out := definitionRecord{Definition: string(definition), Release: releaseRecord{
		ID: r.ID, SiteID: r.SiteID, Number: r.Number, Template: r.Template, Version: r.Version, Mode: r.Mode,
		Generation: max(r.Generation, 1), Sockets: r.Sockets, DatabaseEngine: r.DatabaseEngine,
		Places: strings.Join(r.Places, "\n"), Containers: string(containers), CreatedAt: r.CreatedAt.UTC(),
	}}
	if r.OperationID != "" {
		out.Release.OperationID = &r.OperationID
	}
	return out, nil
}

// Release returns one by id.
func (s *Store) Release(ctx context.Context, id string) (tenants.Release, error) {
	var r releaseRecord
	if err := s.On(ctx).Take(&r, "id = ?", id).Error; err != nil {
		return tenants.Release{}, database.Translate("reading release "+id, err)
	}
	return r.release()
}

// Definition returns what a release fixes.
func (s *Store) Definition(ctx context.Context, releaseID string) (tenants.Definition, error) {
	var text string
	err := s.On(ctx).Model(&definitionRecord{}).Where("id = ?", releaseID).Select("definition").Take(&text).Error
	if err != nil {
		return tenants.Definition{}, database.Translate("reading the definition of release "+releaseID, err)
	}
	var d tenants.Definition
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("reading the definition of release %s: %w", releaseID, err)
	}
	return d, nil
}

// SetRelease makes a release the one that visitors of its site reach.
func (s *Store) SetRelease(ctx context.Context, r tenants.Release) error {
	return database.Changed("setting the release of site "+r.SiteID,
		s.On(ctx).Model(&siteRecord{}).Where("id = ?", r.SiteID).Update("release_id", r.ID))
}

// DeleteRelease forgets the release of a site that an operation made and gave up before visitors reached it; an absent one is
// success, and the one that the site has is never deleted.
func (s *Store) DeleteRelease(ctx context.Context, siteID, operationID string) error {
	reached := s.On(ctx).Model(&siteRecord{}).Where("sites.id = ? AND release_id IS NOT NULL", siteID).Select("release_id")
	err := s.On(ctx).Where("site_id = ? AND operation_id = ? AND id NOT IN (?)", siteID, operationID, reached).Delete(&releaseRecord{}).Error
	return database.Translate("forgetting a release of site "+siteID, err)
}

// SaveUpdateAvailable notes whether a release made now would differ from the site's, unless that is another one by now.
func (s *Store) SaveUpdateAvailable(ctx context.Context, siteID, releaseID string, available bool) error {
	return database.Translate("noting whether site "+siteID+" can be updated", s.On(ctx).Model(&siteRecord{}).
		Where("id = ? AND release_id = ?", siteID, releaseID).Update("update_available", available).Error)
}

// Unreleased returns the live sites without a release whose image is known.
func (s *Store) Unreleased(ctx context.Context) ([]tenants.Unreleased, error) {
	var rs []siteRecord
	err := s.On(ctx).Where("release_id IS NULL AND image_id <> '' AND state IN ?", liveStates).Find(&rs).Error
	if err != nil {
		return nil, database.Translate("listing the sites without a release", err)
	}
	out := make([]tenants.Unreleased, 0, len(rs))
	for _, r := range rs {
		out = append(out, tenants.Unreleased{Site: r.site(), Version: r.Version, ImageID: r.ImageID})
	}
	return out, nil
}

// releasedSite is a site with its release, which it may lack.
type releasedSite struct {
	Site    siteRecord    `gorm:"embedded"`
	Release releaseRecord `gorm:"embedded;embeddedPrefix:release__"`
}

// withRelease joins sites with their releases, without the definitions.
func withRelease(db *gorm.DB) *gorm.DB {
	columns := []string{"sites.*"}
	for _, c := range []string{
		"id", "site_id", "number", "template", "version", "mode", "generation", "sockets", "database_engine", "places", "containers", "created_at", "operation_id",
	} {
		columns = append(columns, "releases."+c+" AS release__"+c)
	}
	return db.Table("sites").Select(strings.Join(columns, ", ")).Joins("LEFT JOIN releases ON releases.id = sites.release_id")
}

func (r releasedSite) site() (tenants.Site, error) {
	s := r.Site.site()
	var err error
	s.Release, err = r.Release.release()
	return s, err
}
