package mysql

import (
	"context"
	"time"

	"gorm.io/gorm"

	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/database"
)

type tokenRecord struct {
	ID        string `gorm:"primaryKey"`
	Hash      []byte
	Label     string
	MakerKind string
	MakerID   string
	MakerName string
	Admin     bool
	Scope     string
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	ExpiresAt time.Time
	UsedAt    *time.Time
	RevokedAt *time.Time
}

// TableName implements gorm's Tabler.
func (tokenRecord) TableName() string { return "api_tokens" }

func (r tokenRecord) token() auth.Token {
	return auth.Token{
		ID: r.ID, Hash: hash(r.Hash), Label: r.Label, Owner: auth.Owner{Kind: tenants.PrincipalKind(r.MakerKind), ID: r.MakerID},
		OwnerName: r.MakerName, Admin: r.Admin, Scope: tenants.Scope(r.Scope), CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
		UsedAt: r.UsedAt, RevokedAt: r.RevokedAt,
	}
}

// InsertToken implements auth.TokenStore.
func (s *Store) InsertToken(ctx context.Context, t auth.Token) error {
	r := tokenRecord{
		ID: t.ID, Hash: t.Hash[:], Label: t.Label, MakerKind: string(t.Owner.Kind), MakerID: t.Owner.ID, MakerName: database.Clip(t.OwnerName, 255),
		Admin: t.Admin, Scope: string(t.Scope), CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(),
	}
	return database.Translate("inserting a token", s.db.On(ctx).Create(&r).Error)
}

// TokenByHash implements auth.TokenStore.
func (s *Store) TokenByHash(ctx context.Context, h auth.Hash) (auth.Token, error) {
	var r tokenRecord
	err := s.db.On(ctx).Take(&r, "hash = ?", h[:]).Error
	return r.token(), database.Translate("reading a token", err)
}

// Tokens implements auth.TokenStore.
func (s *Store) Tokens(ctx context.Context, m auth.Owner) ([]auth.Token, error) {
	var rs []tokenRecord
	err := madeBy(s.db.On(ctx), m).Where("revoked_at IS NULL").Order("created_at DESC, id").Find(&rs).Error
	out := make([]auth.Token, 0, len(rs))
	for _, r := range rs {
		out = append(out, r.token())
	}
	return out, database.Translate("listing tokens", err)
}

func madeBy(q *gorm.DB, m auth.Owner) *gorm.DB {
	if m == (auth.Owner{}) {
		return q
	}
	return q.Where("maker_kind = ? AND maker_id = ?", string(m.Kind), m.ID)
}

// RevokeToken implements auth.TokenStore.
func (s *Store) RevokeToken(ctx context.Context, id string, m auth.Owner, now time.Time) (auth.Token, error) {
	done := madeBy(s.db.On(ctx).Model(&tokenRecord{}), m).Where("id = ? AND revoked_at IS NULL", id).Update("revoked_at", now.UTC())
	if err := database.Changed("revoking a token", done); err != nil {
		return auth.Token{}, err
	}
	var r tokenRecord
	err := s.db.On(ctx).Take(&r, "id = ?", id).Error
	return r.token(), database.Translate("reading the revoked token", err)
}

// RevokeTokensOf implements auth.TokenStore.
func (s *Store) RevokeTokensOf(ctx context.Context, m auth.Owner, now time.Time) (int64, error) {
	done := madeBy(s.db.On(ctx).Model(&tokenRecord{}), m).Where("revoked_at IS NULL").Update("revoked_at", now.UTC())
	return done.RowsAffected, database.Translate("revoking tokens", done.Error)
}

// UseToken implements auth.TokenStore.
func (s *Store) UseToken(ctx context.Context, id string, now time.Time) error {
	return database.Translate("noting a token's use", s.db.On(ctx).Model(&tokenRecord{}).Where("id = ?", id).Update("used_at", now.UTC()).Error)
}
