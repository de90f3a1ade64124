package mysql

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/audit"
	"chatiere/tenants/database"
)

type chainRecord struct {
	Seq      int64 `gorm:"primaryKey;autoIncrement:false"`
	AuditID  int64
	SealedAt time.Time
	Hash     []byte
}

// TableName implements gorm's Tabler.
func (chainRecord) TableName() string { return "audit_seals" }

const anchorsTable = "audit_anchors"

func chainRecordOf(x audit.ChainEntry) chainRecord {
	return chainRecord{Seq: x.Seq, AuditID: x.AuditID, SealedAt: x.At.UTC(), Hash: x.Hash[:]}
}

func (r chainRecord) entry() audit.ChainEntry {
	x := audit.ChainEntry{Seq: r.Seq, AuditID: r.AuditID, At: r.SealedAt}
	copy(x.Hash[:], r.Hash)
	return x
}

var (
	_ audit.Records  = (*Store)(nil)
	_ audit.Prunable = (*Store)(nil)
)

// readEntry reads a chain entry; the zero value stands for none.
func readEntry(doing string, q *gorm.DB) (audit.ChainEntry, error) {
	var r chainRecord
	err := q.Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return audit.ChainEntry{}, nil
	}
	return r.entry(), database.Translate(doing, err)
}

// Anchor implements audit.Source.
func (s *Store) Anchor(ctx context.Context) (audit.ChainEntry, error) {
	return readEntry("reading the anchor", s.On(ctx).Table(anchorsTable).Order("seq DESC"))
}

// LastEntry implements audit.Records.
func (s *Store) LastEntry(ctx context.Context) (audit.ChainEntry, error) {
	last, err := readEntry("reading the last seal", s.On(ctx).Order("seq DESC"))
	if err != nil || last.Seq > 0 {
		return last, err
	}
	return s.Anchor(ctx)
}

// EntryAt implements audit.Records.
func (s *Store) EntryAt(ctx context.Context, seq int64) (audit.ChainEntry, error) {
	for _, table := range []string{"audit_seals", anchorsTable} {
		found, err := readEntry("reading a seal", s.On(ctx).Table(table).Where("seq = ?", seq))
		if err != nil || found.Seq > 0 {
			return found, err
		}
	}
	return audit.ChainEntry{}, database.Translate("reading a seal", tenants.ErrNotFound)
}

// LastEntryBefore implements audit.Records. It goes backwards from the newest: a day has few entries.
func (s *Store) LastEntryBefore(ctx context.Context, at time.Time) (audit.ChainEntry, error) {
	return readEntry("reading the last seal of a day", s.On(ctx).Where("sealed_at < ?", at.UTC()).Order("seq DESC"))
}

// HighestChained implements audit.Records.
func (s *Store) HighestChained(ctx context.Context) (int64, error) {
	var id *int64
	err := s.On(ctx).Model(&chainRecord{}).Select("MAX(audit_id)").Scan(&id).Error
	if err == nil && id != nil {
		return *id, nil
	}
	return 0, database.Translate("reading the highest sealed row", err)
}

// Unchained implements audit.Records.
func (s *Store) Unchained(ctx context.Context, above int64, limit int) ([]tenants.AuditEntry, error) {
	var rs []auditRecord
	err := s.On(ctx).Table("audit AS a").Select("a.*").Joins("LEFT JOIN audit_seals AS s ON s.audit_id = a.id").
		Where("a.id > ? AND s.audit_id IS NULL", above).Order("a.id").Limit(limit).Find(&rs).Error
	return entries(rs), database.Translate("reading rows without a seal", err)
}

// AddEntries implements audit.Records: one statement, so all or none.
func (s *Store) AddEntries(ctx context.Context, seals []audit.ChainEntry) error {
	rs := make([]chainRecord, 0, len(seals))
	for _, x := range seals {
		rs = append(rs, chainRecordOf(x))
	}
	return database.Translate("writing seals", s.On(ctx).Create(&rs).Error)
}

// Links implements audit.Source.
func (s *Store) Links(ctx context.Context, behind int64, limit int) ([]audit.Link, error) {
	var rs []chainRecord
	if err := s.On(ctx).Where("seq > ?", behind).Order("seq").Limit(limit).Find(&rs).Error; err != nil {
		return nil, database.Translate("reading seals", err)
	}
	ids := make([]int64, 0, len(rs))
	for _, r := range rs {
		ids = append(ids, r.AuditID)
	}
	var rows []auditRecord
	if err := s.On(ctx).Where("id IN ?", append(ids, 0)).Find(&rows).Error; err != nil {
		return nil, database.Translate("reading sealed rows", err)
	}
	byID := make(map[int64]tenants.AuditEntry, len(rows))
	for _, r := range rows {
		byID[r.ID] = r.entry()
	}
	links := make([]audit.Link, 0, len(rs))
	for _, r := range rs {
		l := audit.Link{Chain: r.entry()}
		if e, there := byID[r.AuditID]; there {
			l.Row = &e
		}
		links = append(links, l)
	}
	return links, nil
}

// Prune implements audit.Prunable. It needs the database user that changes the schema.
func (s *Store) Prune(ctx context.Context, upto audit.ChainEntry) (rows int64, err error) {
	err = s.Transact(ctx, func(ctx context.Context) error {
		anchor := chainRecordOf(upto)
		if err := s.On(ctx).Table(anchorsTable).Create(&anchor).Error; err != nil {
			return database.Translate("leaving an anchor", err)
		}
		done := s.On(ctx).Exec("DELETE a FROM audit AS a JOIN audit_seals AS s ON s.audit_id = a.id WHERE s.seq <= ?", upto.Seq)
		if done.Error != nil {
			return database.Translate("removing old rows", done.Error)
		}
		rows = done.RowsAffected
		return database.Translate("removing old seals", s.On(ctx).Where("seq <= ?", upto.Seq).Delete(&chainRecord{}).Error)
	})
	return rows, err
}
