package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type snapshotRecord struct {
	ID            string `gorm:"primaryKey"`
	AssociationID string
	SiteID        string
	Reason        string
	TakenAt       time.Time
	EndedAt       time.Time
	Template      string
	Version       string
	Files         int64
	Bytes         int64
	DatabaseBytes int64
	Missing       string // JSON: a list of paths
	MissingCount  int64
	Pinned        bool
}

// TableName implements gorm's Tabler.
func (snapshotRecord) TableName() string { return "snapshots" }

// SaveSnapshots replaces the list of an association's snapshots.
func (s *Store) SaveSnapshots(ctx context.Context, associationID string, all []tenants.Snapshot) error {
	records := make([]snapshotRecord, 0, len(all))
	for _, x := range all {
		missing, err := json.Marshal(x.Missing)
		if err != nil {
			return err
		}
		records = append(records, snapshotRecord{
			ID: x.ID, AssociationID: associationID, SiteID: x.SiteID, Reason: string(x.Reason), TakenAt: x.TakenAt.UTC(), EndedAt: x.EndedAt.UTC(),
			Template: x.Template, Version: x.Version, Files: x.Files, Bytes: x.Bytes, DatabaseBytes: x.DatabaseBytes, Missing: string(missing),
			MissingCount: x.MissingCount, Pinned: x.Pinned,
		})
	}
	doing := "saving the snapshots of association " + associationID
	return s.Transact(ctx, func(ctx context.Context) error {
		if err := s.On(ctx).Where("association_id = ?", associationID).Delete(&snapshotRecord{}).Error; err != nil {
			return database.Translate(doing, err)
		}
		if len(records) == 0 {
			return nil
		}
		return database.Translate(doing, s.On(ctx).CreateInBatches(records, 200).Error)
	})
}

// Snapshot returns one that the site has.
func (s *Store) Snapshot(ctx context.Context, siteID, id string) (tenants.Snapshot, error) {
	var r snapshotRecord
	if err := s.On(ctx).Take(&r, "id = ? AND site_id = ?", id, siteID).Error; err != nil {
		return tenants.Snapshot{}, database.Translate("reading a snapshot of site "+siteID, err)
	}
	return r.snapshot()
}

// Snapshots returns those of a site, newest first.
func (s *Store) Snapshots(ctx context.Context, siteID string) ([]tenants.Snapshot, error) {
	var rs []snapshotRecord
	if err := s.On(ctx).Where("site_id = ?", siteID).Order("taken_at DESC").Find(&rs).Error; err != nil {
		return nil, database.Translate("listing the snapshots of site "+siteID, err)
	}
	out := make([]tenants.Snapshot, 0, len(rs))
	for _, r := range rs {
		x, err := r.snapshot()
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// NewestSnapshots returns when each site was saved last, by site.
func (s *Store) NewestSnapshots(ctx context.Context) (map[string]time.Time, error) {
	var rows []struct {
		SiteID string
		At     time.Time
	}
	err := s.On(ctx).Model(&snapshotRecord{}).Select("site_id, MAX(taken_at) AS at").Group("site_id").Scan(&rows).Error
	if err != nil {
		return nil, database.Translate("finding the newest snapshots", err)
	}
	out := map[string]time.Time{}
	for _, r := range rows {
		out[r.SiteID] = r.At
	}
	return out, nil
}

func (r snapshotRecord) snapshot() (tenants.Snapshot, error) {
	x := tenants.Snapshot{
		ID: r.ID, AssociationID: r.AssociationID, SiteID: r.SiteID, Reason: tenants.SnapshotReason(r.Reason), TakenAt: r.TakenAt, EndedAt: r.EndedAt,
		Template: r.Template, Version: r.Version, Files: r.Files, Bytes: r.Bytes, DatabaseBytes: r.DatabaseBytes,
		MissingCount: r.MissingCount, Pinned: r.Pinned,
	}
	if err := json.Unmarshal([]byte(r.Missing), &x.Missing); err != nil {
		return x, fmt.Errorf("reading what snapshot %s lacks: %w", r.ID, err)
	}
	return x, nil
}

// LastGeneration returns the highest generation that a release of the site names, 0 for a site without releases.
func (s *Store) LastGeneration(ctx context.Context, siteID string) (int, error) {
	var last *int
	err := s.On(ctx).Model(&releaseRecord{}).Where("site_id = ?", siteID).Select("MAX(generation)").Scan(&last).Error
	if err != nil || last == nil {
		return 0, database.Translate("finding the last generation of site "+siteID, err)
	}
	return *last, nil
}
