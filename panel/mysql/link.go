package mysql

import (
	"context"
	"time"

	"chatiere/panel/auth"
	"chatiere/tenants/database"
)

type linkRecord struct {
	Hash      []byte    `gorm:"primaryKey"`
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt time.Time
	UsedAt    *time.Time
}

// TableName implements gorm's Tabler.
func (linkRecord) TableName() string { return "break_glass_links" }

// InsertLink implements auth.LinkStore.
func (s *Store) InsertLink(ctx context.Context, l auth.Link) error {
	r := linkRecord{Hash: l.Hash[:], CreatedAt: l.CreatedAt.UTC(), ExpiresAt: l.ExpiresAt.UTC()}
	return database.Translate("inserting a link", s.db.On(ctx).Create(&r).Error)
}

// Link implements auth.LinkStore.
func (s *Store) Link(ctx context.Context, h auth.Hash) (auth.Link, error) {
	var r linkRecord
	err := s.db.On(ctx).Take(&r, "hash = ?", h[:]).Error
	return auth.Link{Hash: hash(r.Hash), CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, UsedAt: r.UsedAt}, database.Translate("reading a link", err)
}

// UseLink implements auth.LinkStore: one statement decides, so that of two clicks one opens a session.
func (s *Store) UseLink(ctx context.Context, h auth.Hash, now time.Time) error {
	return database.Changed("using a link", s.db.On(ctx).Model(&linkRecord{}).
		Where("hash = ? AND used_at IS NULL AND expires_at > ?", h[:], now.UTC()).Update("used_at", now.UTC()))
}
