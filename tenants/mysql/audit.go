package mysql

import (
	"context"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
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
		"at": gorm.Expr("UTC_TIMESTAMP(6)"), "actor_kind": string(e.ActorKind), "actor_id": clip(e.ActorID, 190),
		"actor_name": clip(e.ActorName, 255), "address": clip(e.Address, 64), "action": clip(e.Action, 64),
		"association_id": e.AssociationID, "site_id": e.SiteID, "operation_id": e.OperationID, "detail": clip(e.Detail, 2000),
	}
	if !e.At.IsZero() {
		row["at"] = e.At.UTC()
	}
	return translate("writing the audit trail", s.on(ctx).Model(&auditRecord{}).Create(row).Error)
}

// AuditFilter narrows the audit trail; zero values do not narrow.
type AuditFilter struct {
	AssociationID string
	SiteID        string
	OperationID   string
	Before        int64 // only entries with a lower id: the next page
	Limit         int   // 0: 100
}

// AuditEntries returns the entries that pass the filter, newest first.
func (s *Store) AuditEntries(ctx context.Context, f AuditFilter) ([]tenants.AuditEntry, error) {
	q := s.on(ctx).Order("id DESC").Limit(limit(f.Limit))
	for column, value := range map[string]string{
		"association_id = ?": f.AssociationID, "site_id = ?": f.SiteID, "operation_id = ?": f.OperationID,
	} {
		if value != "" {
			q = q.Where(column, value)
		}
	}
	if f.Before > 0 {
		q = q.Where("id < ?", f.Before)
	}
	var rs []auditRecord
	err := q.Find(&rs).Error
	out := make([]tenants.AuditEntry, 0, len(rs))
	for _, r := range rs {
		out = append(out, r.entry())
	}
	return out, translate("reading the audit trail", err)
}

// limit gives lists an end.
func limit(asked int) int {
	const usual, most = 100, 1000
	if asked <= 0 {
		return usual
	}
	return min(asked, most)
}
