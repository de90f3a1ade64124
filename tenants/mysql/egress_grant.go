package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type grantRecord struct {
	ID        string `gorm:"primaryKey"`
	SiteID    string
	Name      string
	Ports     string // as tenants.PortsText writes them
	LiveKey   *string
	Reason    string
	State     string
	AskedBy   string
	AskedAt   time.Time
	DecidedBy string
	DecidedAt *time.Time
	Answer    string
}

// TableName implements gorm's Tabler.
func (grantRecord) TableName() string { return "site_access" }

func (r grantRecord) grant() (tenants.EgressGrant, error) {
	a := tenants.EgressGrant{
		ID: r.ID, SiteID: r.SiteID, Name: r.Name, Reason: r.Reason, State: tenants.GrantState(r.State), AskedBy: r.AskedBy,
		AskedAt: r.AskedAt, DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt, Answer: r.Answer,
	}
	for text := range strings.SplitSeq(r.Ports, ",") {
		port, err := strconv.Atoi(text)
		if err != nil {
			return a, fmt.Errorf("reading the ports of access %s: %w", r.ID, err)
		}
		a.Ports = append(a.Ports, port)
	}
	return a, nil
}

// liveGrantKey is unique among a site's grants that are not over; null once one is.
func liveGrantKey(a tenants.EgressGrant) *string {
	if !a.State.Live() {
		return nil
	}
	key := a.Target()
	return &key
}

// CreateGrant inserts a wish; ErrConflict when the same is asked for or granted.
func (s *Store) CreateGrant(ctx context.Context, a tenants.EgressGrant) error {
	r := grantRecord{
		ID: a.ID, SiteID: a.SiteID, Name: a.Name, Ports: tenants.PortsText(a.Ports), LiveKey: liveGrantKey(a), Reason: a.Reason,
		State: string(a.State), AskedBy: database.Clip(a.AskedBy, 255), AskedAt: a.AskedAt.UTC(),
	}
	return database.Translate("writing a wish for access", s.On(ctx).Create(&r).Error)
}

// DecideGrant writes a's state and decision if its state is still from; ErrConflict otherwise.
func (s *Store) DecideGrant(ctx context.Context, a tenants.EgressGrant, from tenants.GrantState) error {
	done := s.On(ctx).Model(&grantRecord{}).Where("id = ? AND state = ?", a.ID, string(from)).Updates(map[string]any{
		"state": string(a.State), "live_key": liveGrantKey(a), "decided_by": database.Clip(a.DecidedBy, 255), "decided_at": utc(a.DecidedAt),
		"answer": a.Answer,
	})
	if done.Error == nil && done.RowsAffected == 0 {
		return fmt.Errorf("deciding on access %s, which is no longer %s: %w", a.ID, from, tenants.ErrConflict)
	}
	return database.Translate("deciding on an access", done.Error)
}

// Grant returns one by id.
func (s *Store) Grant(ctx context.Context, id string) (tenants.EgressGrant, error) {
	var r grantRecord
	if err := s.On(ctx).Take(&r, "id = ?", id).Error; err != nil {
		return tenants.EgressGrant{}, database.Translate("reading an access", err)
	}
	return r.grant()
}

// SiteGrants returns a site's, whatever became of them, the newest first.
func (s *Store) SiteGrants(ctx context.Context, siteID string) ([]tenants.EgressGrant, error) {
	return s.grants(ctx, "site_id = ?", siteID)
}

// GrantsIn returns those of all sites in a state, the newest first.
func (s *Store) GrantsIn(ctx context.Context, state tenants.GrantState) ([]tenants.EgressGrant, error) {
	return s.grants(ctx, "state = ?", string(state))
}

func (s *Store) grants(ctx context.Context, where, value string) ([]tenants.EgressGrant, error) {
	var rs []grantRecord
	if err := s.On(ctx).Where(where, value).Order("asked_at DESC, id").Find(&rs).Error; err != nil {
		return nil, database.Translate("listing egress grants", err)
	}
	out := make([]tenants.EgressGrant, 0, len(rs))
	for _, r := range rs {
		a, err := r.grant()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
