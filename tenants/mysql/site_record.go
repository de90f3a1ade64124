package mysql

import (
	"time"

	"chatiere/tenants"
)

type siteRecord struct {
	ID            string `gorm:"primaryKey"`
	AssociationID string
	Template      string
	Version       string // of sites of before there were releases, see Unreleased
	ImageID       string
	Name          string
	Host          string
	LiveHost      *string // host while the site holds it
	UID           int     `gorm:"column:uid"`
	State         string
	AdminEmail    string
	CreatedAt     time.Time
	BinnedAt      *time.Time
	BinnedFrom    string
	BinnedBy      string
	ProbeAt       *time.Time
	ProbeHealth   string
	ProbeDetail   string
	DiskBytes     int64

	UpdateAvailable bool
	ReleaseID       *string
}

// TableName implements gorm's Tabler.
func (siteRecord) TableName() string { return "sites" }

func (r siteRecord) site() tenants.Site {
	s := tenants.Site{
		ID: r.ID, AssociationID: r.AssociationID, Template: r.Template,
		Name: r.Name, Host: r.Host, UID: r.UID, State: tenants.SiteState(r.State), AdminEmail: r.AdminEmail,
		CreatedAt: r.CreatedAt, BinnedAt: r.BinnedAt, DiskBytes: r.DiskBytes,
		BinnedFrom: tenants.SiteState(r.BinnedFrom), BinnedBy: tenants.Side(r.BinnedBy),
		UpdateAvailable: r.UpdateAvailable,
		Probe:           tenants.Probe{Health: tenants.Health(r.ProbeHealth), Detail: r.ProbeDetail},
	}
	if r.ProbeAt != nil {
		s.Probe.At = *r.ProbeAt
	}
	return s
}

func siteRecordOf(s tenants.Site) siteRecord {
	return siteRecord{
		ID: s.ID, AssociationID: s.AssociationID, Template: s.Template,
		Name: s.Name, Host: s.Host, LiveHost: liveHost(s), UID: s.UID, State: string(s.State), AdminEmail: s.AdminEmail,
		CreatedAt: s.CreatedAt.UTC(), BinnedAt: utc(s.BinnedAt),
		BinnedFrom: string(s.BinnedFrom), BinnedBy: string(s.BinnedBy),
	}
}

func liveHost(s tenants.Site) *string {
	if !s.State.Live() {
		return nil
	}
	return &s.Host
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func sites(rs []releasedSite) ([]tenants.Site, error) {
	out := make([]tenants.Site, 0, len(rs))
	for _, r := range rs {
		site, err := r.site()
		if err != nil {
			return nil, err
		}
		out = append(out, site)
	}
	return out, nil
}
