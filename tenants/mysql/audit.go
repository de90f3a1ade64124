package mysql

import (
	"context"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/database"
)

type auditRecord struct {
	ID            int64 `gorm:"primaryKey"`
	At            time.Time
	ActorKind     string
	ActorID       string
	ActorName     string
	Address       string
	Action        string
	AssociationID string
	SiteID        string
	OperationID   string
	Detail        string
}

// TableName implements gorm's Tabler.
func (auditRecord) TableName() string { return "audit" }

func (r auditRecord) entry() tenants.AuditEntry {
	return tenants.AuditEntry{
		ID: r.ID, At: r.At, ActorKind: tenants.PrincipalKind(r.ActorKind), ActorID: r.ActorID, ActorName: r.ActorName,
		Address: r.Address, Action: r.Action, AssociationID: r.AssociationID, SiteID: r.SiteID,
		OperationID: r.OperationID, Detail: r.Detail,
	}
}

// Audit appends to the audit trail, in the same transaction as what it tells. A zero time is the database's now.
func (s *Store) Audit(ctx context.Context, e tenants.AuditEntry) error {
	row := map[string]any{
		"at": gorm.Expr("UTC_TIMESTAMP(6)"), "actor_kind": string(e.ActorKind), "actor_id": database.Clip(e.ActorID, 190),
		"actor_name": database.Clip(e.ActorName, 255), "address": database.Clip(e.Address, 64), "action": database.Clip(e.Action, 64),
		"association_id": e.AssociationID, "site_id": e.SiteID, "operation_id": e.OperationID, "detail": database.Clip(e.Detail, 2000),
	}
	if !e.At.IsZero() {
		row["at"] = e.At.UTC()
	}
	return database.Translate("writing the audit trail", s.On(ctx).Model(&auditRecord{}).Create(row).Error)
}

// AuditEntries returns the entries that pass the filter, newest first.
func (s *Store) AuditEntries(ctx context.Context, f tenants.AuditFilter) ([]tenants.AuditEntry, error) {
	// By time and id: every index of the trail ends so, which is what keeps a page fast however long the trail is.
	q := s.On(ctx).Order("at DESC, id DESC").Limit(limit(f.Limit))
	for column, value := range map[string]string{
		"association_id = ?": f.AssociationID, "site_id = ?": f.SiteID, "operation_id = ?": f.OperationID,
		"actor_name = ?": database.Clip(f.ActorName, 255), "actor_id = ?": f.ActorID, "action = ?": f.Action,
	} {
		if value != "" {
			q = q.Where(column, value)
		}
	}
	if !f.From.IsZero() {
		q = q.Where("at >= ?", f.From.UTC())
	}
	if !f.To.IsZero() {
		q = q.Where("at < ?", f.To.UTC())
	}
	if f.Before.ID > 0 {
		at := f.Before.At.UTC()
		q = q.Where("at <= ? AND (at < ? OR id < ?)", at, at, f.Before.ID)
	}
	var rs []auditRecord
	err := q.Find(&rs).Error
	return entries(rs), database.Translate("reading the audit trail", err)
}

func entries(rs []auditRecord) []tenants.AuditEntry {
	out := make([]tenants.AuditEntry, 0, len(rs))
	for _, r := range rs {
		out = append(out, r.entry())
	}
	return out
}

// most names and acts a filter offers.
const offered = 500

// AuditActors returns the names that stand in the trail, of an association or of all ("").
func (s *Store) AuditActors(ctx context.Context, associationID string) ([]string, error) {
	return s.distinct(ctx, "actor_name", associationID)
}

// AuditActions returns the acts that stand in the trail, of an association or of all ("").
func (s *Store) AuditActions(ctx context.Context, associationID string) ([]string, error) {
	return s.distinct(ctx, "action", associationID)
}

// distinct reads the values of an indexed column: over the whole trail the index alone is jumped through.
func (s *Store) distinct(ctx context.Context, column, associationID string) ([]string, error) {
	q := s.On(ctx).Model(&auditRecord{}).Limit(offered)
	if associationID != "" {
		q = q.Where("association_id = ?", associationID)
	}
	var out []string
	err := q.Distinct().Order(column).Pluck(column, &out).Error
	return out, database.Translate("reading who stands in the audit trail", err)
}

// limit gives lists an end.
func limit(asked int) int {
	const usual, most = 100, 1000
	if asked <= 0 {
		return usual
	}
	return min(asked, most)
}
