package mysql

import (
	"context"
	"fmt"
	"strings"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

var liveStates = []tenants.SiteState{tenants.StateCreating, tenants.StateReady, tenants.StateSuspended, tenants.StateBinned}

// CreateSite inserts it and sets its UID from the sequence that never goes back; ErrConflict when a live site has the host.
func (s *Store) CreateSite(ctx context.Context, site *tenants.Site) error {
	return s.Transact(ctx, func(ctx context.Context) error {
		uid, err := s.nextUID(ctx)
		if err != nil {
			return err
		}
		r := siteRecordOf(*site)
		r.UID = uid
		if err := s.On(ctx).Create(&r).Error; err != nil {
			return database.Translate("inserting site "+site.ID, err)
		}
		site.UID = uid
		return nil
	})
}

// nextUID takes the next user id. The row stays locked until the transaction ends: sites come into being one by one.
func (s *Store) nextUID(ctx context.Context) (int, error) {
	err := s.On(ctx).Exec(`INSERT INTO uid_sequence (one, next_uid) VALUES (1, ?)
  ON DUPLICATE KEY UPDATE next_uid = GREATEST(next_uid, ?) + 1`, s.firstUID+1, s.firstUID).Error
	if err != nil {
		return 0, database.Translate("taking a user id", err)
	}
	var next int
	if err := s.On(ctx).Raw("SELECT next_uid FROM uid_sequence WHERE one = 1").Scan(&next).Error; err != nil {
		return 0, database.Translate("taking a user id", err)
	}
	if next-1 > s.lastUID {
		return 0, fmt.Errorf("taking a user id: all from %d to %d are used up: %w", s.firstUID, s.lastUID, tenants.ErrUnavailable)
	}
	return next - 1, nil
}

// RaiseUIDs makes sure that no site gets the user id seen or a lower one. A worker calls it with what it finds on the
// data root, since records restored from an older dump would give living ids again.
func (s *Store) RaiseUIDs(ctx context.Context, seen int) error {
	return database.Translate("raising the user ids", s.On(ctx).Exec(`INSERT INTO uid_sequence (one, next_uid) VALUES (1, ?)
  ON DUPLICATE KEY UPDATE next_uid = GREATEST(next_uid, ?)`, max(seen+1, s.firstUID), seen+1).Error)
}

// UpdateSite writes what a use case may change. User id, association and birth never change; the release and what was
// measured (probe, disk) have their own methods, so that a use case's older copy does not overwrite them.
func (s *Store) UpdateSite(ctx context.Context, site tenants.Site) error {
	return database.Changed("updating site "+site.ID, s.On(ctx).Model(&siteRecord{}).Where("id = ?", site.ID).Updates(map[string]any{
		"name": site.Name, "host": site.Host, "live_host": liveHost(site),
		"state": string(site.State), "admin_email": site.AdminEmail, "binned_at": utc(site.BinnedAt),
		"binned_from": string(site.BinnedFrom), "binned_by": string(site.BinnedBy),
	}))
}

// Site returns one by id, whatever its state.
func (s *Store) Site(ctx context.Context, id string) (tenants.Site, error) {
	var r releasedSite
	if err := withRelease(s.On(ctx)).Where("sites.id = ?", id).Take(&r).Error; err != nil {
		return tenants.Site{}, database.Translate("reading a site", err)
	}
	return r.site()
}

// LiveSites returns every site whose state is live.
func (s *Store) LiveSites(ctx context.Context) ([]tenants.Site, error) {
	return s.Sites(ctx, SiteFilter{States: liveStates})
}

// HostTaken reports whether a live site answers at host.
func (s *Store) HostTaken(ctx context.Context, host string) (bool, error) {
	var n int64
	err := s.On(ctx).Model(&siteRecord{}).Where("live_host = ?", host).Count(&n).Error
	return n > 0, database.Translate("looking for a host", err)
}

// SiteFilter narrows a list of sites; zero values do not narrow.
type SiteFilter struct {
	AssociationIDs []string // nil: all; empty: none
	States         []tenants.SiteState
	Search         string // part of the site's name or host, or of its association's name
}

// Sites returns those that pass the filter, by name.
func (s *Store) Sites(ctx context.Context, f SiteFilter) ([]tenants.Site, error) {
	if f.AssociationIDs != nil && len(f.AssociationIDs) == 0 {
		return nil, nil
	}
	q := withRelease(s.On(ctx)).Order("name, sites.id")
	if f.AssociationIDs != nil {
		q = q.Where("association_id IN ?", f.AssociationIDs)
	}
	if len(f.States) > 0 {
		q = q.Where("state IN ?", f.States)
	}
	if f.Search != "" {
		like := containing(f.Search)
		q = q.Where(`(name LIKE ? ESCAPE '!'
  OR CONVERT(host USING utf8mb4) COLLATE utf8mb4_unicode_ci LIKE ? ESCAPE '!'
  OR association_id IN (SELECT id FROM associations WHERE name LIKE ? ESCAPE '!'))`, like, like, like)
	}
	var rs []releasedSite
	if err := q.Find(&rs).Error; err != nil {
		return nil, database.Translate("listing the sites", err)
	}
	return sites(rs)
}

// containing builds a pattern for LIKE … ESCAPE '!' in which what a person typed stands for itself.
func containing(typed string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(database.Clip(typed, 200)) + "%"
}

// SaveProbe writes what a look at the site saw.
func (s *Store) SaveProbe(ctx context.Context, siteID string, p tenants.Probe) error {
	return database.Changed("saving the probe of site "+siteID, s.On(ctx).Model(&siteRecord{}).Where("id = ?", siteID).Updates(map[string]any{
		"probe_at": p.At.UTC(), "probe_health": string(p.Health), "probe_detail": database.Clip(p.Detail, 1000),
	}))
}

// SaveDiskUsage writes how many bytes the site takes.
func (s *Store) SaveDiskUsage(ctx context.Context, siteID string, bytes int64) error {
	return database.Changed("saving the disk usage of site "+siteID,
		s.On(ctx).Model(&siteRecord{}).Where("id = ?", siteID).Update("disk_bytes", bytes))
}
