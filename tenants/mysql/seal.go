package mysql

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"chatiere/tenants"
	"chatiere/tenants/trail"
)

type sealRecord struct {
	Seq      int64 `gorm:"primaryKey;autoIncrement:false"`
	AuditID  int64
	SealedAt time.Time
	Hash     []byte
}

// TableName implements gorm's Tabler.
func (sealRecord) TableName() string { return "audit_seals" }

const anchorsTable = "audit_anchors"

func sealRecordOf(x trail.Seal) sealRecord {
	return sealRecord{Seq: x.Seq, AuditID: x.AuditID, SealedAt: x.At.UTC(), Hash: x.Hash[:]}
}

func (r sealRecord) seal() trail.Seal {
	x := trail.Seal{Seq: r.Seq, AuditID: r.AuditID, At: r.SealedAt}
	copy(x.Hash[:], r.Hash)
	return x
}

var (
	_ trail.Records  = (*Store)(nil)
	_ trail.Prunable = (*Store)(nil)
)

// one reads a seal; the zero Seal stands for none.
func one(doing string, q *gorm.DB) (trail.Seal, error) {
	var r sealRecord
	err := q.Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return trail.Seal{}, nil
	}
	return r.seal(), translate(doing, err)
}

// Anchor implements trail.Source.
func (s *Store) Anchor(ctx context.Context) (trail.Seal, error) {
	return one("reading the anchor", s.on(ctx).Table(anchorsTable).Order("seq DESC"))
}

// LastSeal implements trail.Records.
func (s *Store) LastSeal(ctx context.Context) (trail.Seal, error) {
	last, err := one("reading the last seal", s.on(ctx).Order("seq DESC"))
	if err != nil || last.Seq > 0 {
		return last, err
	}
	return s.Anchor(ctx)
}

// SealAt implements trail.Records.
func (s *Store) SealAt(ctx context.Context, seq int64) (trail.Seal, error) {
	for _, table := range []string{"audit_seals", anchorsTable} {
		found, err := one("reading a seal", s.on(ctx).Table(table).Where("seq = ?", seq))
		if err != nil || found.Seq > 0 {
			return found, err
		}
	}
	return trail.Seal{}, translate("reading a seal", tenants.ErrNotFound)
}

// LastSealBefore implements trail.Records. It goes backwards from the newest: the day's seals are few.
func (s *Store) LastSealBefore(ctx context.Context, at time.Time) (trail.Seal, error) {
	return one("reading the last seal of a day", s.on(ctx).Where("sealed_at < ?", at.UTC()).Order("seq DESC"))
}

// HighestSealed implements trail.Records.
func (s *Store) HighestSealed(ctx context.Context) (int64, error) {
	var id *int64
	err := s.on(ctx).Model(&sealRecord{}).Select("MAX(audit_id)").Scan(&id).Error
	if err == nil && id != nil {
		return *id, nil
	}
	return 0, translate("reading the highest sealed row", err)
}

// Unsealed implements trail.Records.
func (s *Store) Unsealed(ctx context.Context, above int64, limit int) ([]tenants.AuditEntry, error) {
	var rs []auditRecord
	err := s.on(ctx).Table("audit AS a").Select("a.*").Joins("LEFT JOIN audit_seals AS s ON s.audit_id = a.id").
		Where("a.id > ? AND s.audit_id IS NULL", above).Order("a.id").Limit(limit).Find(&rs).Error
	return entries(rs), translate("reading rows without a seal", err)
}

// AddSeals implements trail.Records: one statement, so all or none.
func (s *Store) AddSeals(ctx context.Context, seals []trail.Seal) error {
	rs := make([]sealRecord, 0, len(seals))
	for _, x := range seals {
		rs = append(rs, sealRecordOf(x))
	}
	return translate("writing seals", s.on(ctx).Create(&rs).Error)
}

// Links implements trail.Source.
func (s *Store) Links(ctx context.Context, behind int64, limit int) ([]trail.Link, error) {
	var rs []sealRecord
	if err := s.on(ctx).Where("seq > ?", behind).Order("seq").Limit(limit).Find(&rs).Error; err != nil {
		return nil, translate("reading seals", err)
	}
	ids := make([]int64, 0, len(rs))
	for _, r := range rs {
		ids = append(ids, r.AuditID)
	}
	var rows []auditRecord
	if err := s.on(ctx).Where("id IN ?", append(ids, 0)).Find(&rows).Error; err != nil {
		return nil, translate("reading sealed rows", err)
	}
	byID := make(map[int64]tenants.AuditEntry, len(rows))
	for _, r := range rows {
		byID[r.ID] = r.entry()
	}
	links := make([]trail.Link, 0, len(rs))
	for _, r := range rs {
		l := trail.Link{Seal: r.seal()}
		if e, there := byID[r.AuditID]; there {
			l.Entry = &e
		}
		links = append(links, l)
	}
	return links, nil
}

// Prune implements trail.Prunable. Neither panel nor worker may: it takes the user that changes the schema.
func (s *Store) Prune(ctx context.Context, upto trail.Seal) (rows int64, err error) {
	err = s.Transact(ctx, func(ctx context.Context) error {
		anchor := sealRecordOf(upto)
		if err := s.on(ctx).Table(anchorsTable).Create(&anchor).Error; err != nil {
			return translate("leaving an anchor", err)
		}
		done := s.on(ctx).Exec("DELETE a FROM audit AS a JOIN audit_seals AS s ON s.audit_id = a.id WHERE s.seq <= ?", upto.Seq)
		if done.Error != nil {
			return translate("removing old rows", done.Error)
		}
		rows = done.RowsAffected
		return translate("removing old seals", s.on(ctx).Where("seq <= ?", upto.Seq).Delete(&sealRecord{}).Error)
	})
	return rows, err
}
