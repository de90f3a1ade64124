package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"chatiere/panel/auth"
	"chatiere/tenants"
	"chatiere/tenants/database"
)

type sessionRecord struct {
	Hash         []byte `gorm:"primaryKey"`
	Kind         string
	Subject      string `gorm:"column:kc_sub"`
	SID          string `gorm:"column:kc_sid"`
	Username     string
	Name         string
	Email        string
	CoopAdmin    bool
	Memberships  string
	ACR          string `gorm:"column:acr"`
	AuthTime     *time.Time
	CSRF         []byte `gorm:"column:csrf"`
	RefreshToken []byte
	IDToken      []byte
	CreatedAt    time.Time `gorm:"autoCreateTime:false"`
	SeenAt       time.Time
	RightsAt     time.Time
	ExpiresAt    time.Time
	Agent        string
	Network      string
}

// TableName implements gorm's Tabler.
func (sessionRecord) TableName() string { return "sessions" }

func recordOf(x auth.Session) (sessionRecord, error) {
	memberships, err := json.Marshal(x.Memberships)
	if err != nil {
		return sessionRecord{}, fmt.Errorf("encoding memberships: %w", err)
	}
	return sessionRecord{
		Hash: x.Hash[:], Kind: string(x.Kind), Subject: x.Subject, SID: x.SID, Username: database.Clip(x.Username, 255), Name: database.Clip(x.Name, 255),
		Email: database.Clip(x.Email, 320), CoopAdmin: x.CoopAdmin, Memberships: string(memberships), ACR: database.Clip(x.ACR, 64),
		AuthTime: optional(x.AuthTime), CSRF: x.CSRF[:], RefreshToken: x.Refresh, IDToken: x.IDToken,
		CreatedAt: x.CreatedAt.UTC(), SeenAt: x.SeenAt.UTC(), RightsAt: x.RightsAt.UTC(), ExpiresAt: x.ExpiresAt.UTC(),
		Agent: database.Clip(x.Device.String(), 40), Network: database.Clip(x.Network, 64),
	}, nil
}

func (r sessionRecord) session() (auth.Session, error) {
	x := auth.Session{
		Hash: hash(r.Hash), Kind: auth.SessionKind(r.Kind), Subject: r.Subject, SID: r.SID, Username: r.Username, Name: r.Name,
		Email: r.Email, CoopAdmin: r.CoopAdmin, ACR: r.ACR, Refresh: r.RefreshToken, IDToken: r.IDToken,
		CreatedAt: r.CreatedAt, SeenAt: r.SeenAt, RightsAt: r.RightsAt, ExpiresAt: r.ExpiresAt,
		Device: auth.ParseDevice(r.Agent), Network: r.Network,
	}
	if r.AuthTime != nil {
		x.AuthTime = *r.AuthTime
	}
	copy(x.CSRF[:], r.CSRF)
	x.Memberships = map[string]tenants.Role{}
	if err := json.Unmarshal([]byte(r.Memberships), &x.Memberships); err != nil {
		return x, fmt.Errorf("decoding memberships: %w", err)
	}
	return x, nil
}

// InsertSession implements auth.SessionStore.
func (s *Store) InsertSession(ctx context.Context, x auth.Session) error {
	r, err := recordOf(x)
	if err != nil {
		return err
	}
	return database.Translate("inserting a session", s.db.On(ctx).Create(&r).Error)
}

// Session implements auth.SessionStore.
func (s *Store) Session(ctx context.Context, h auth.Hash) (auth.Session, error) {
	var r sessionRecord
	if err := s.db.On(ctx).Take(&r, "hash = ?", h[:]).Error; err != nil {
		return auth.Session{}, database.Translate("reading a session", err)
	}
	return r.session()
}

// TouchSession implements auth.SessionStore.
func (s *Store) TouchSession(ctx context.Context, h auth.Hash, seen time.Time, network string) error {
	values := map[string]any{"seen_at": seen.UTC()}
	if network != "" {
		values["network"] = database.Clip(network, 64)
	}
	return database.Translate("touching a session", s.db.On(ctx).Model(&sessionRecord{}).Where("hash = ?", h[:]).Updates(values).Error)
}

// RenewSession implements auth.SessionStore. A session that has ended meanwhile stays ended.
func (s *Store) RenewSession(ctx context.Context, x auth.Session) error {
	r, err := recordOf(x)
	if err != nil {
		return err
	}
	return database.Changed("renewing a session", s.db.On(ctx).Model(&sessionRecord{}).Where("hash = ?", x.Hash[:]).Updates(map[string]any{
		"username": r.Username, "name": r.Name, "email": r.Email, "coop_admin": r.CoopAdmin, "memberships": r.Memberships,
		"refresh_token": r.RefreshToken, "id_token": r.IDToken, "rights_at": r.RightsAt,
	}))
}

// DeleteSession implements auth.SessionStore.
func (s *Store) DeleteSession(ctx context.Context, h auth.Hash) error {
	return database.Translate("deleting a session", s.db.On(ctx).Delete(&sessionRecord{}, "hash = ?", h[:]).Error)
}

// DeleteSessionsOf implements auth.SessionSweeper.
func (s *Store) DeleteSessionsOf(ctx context.Context, sid, subject string) (int64, error) {
	where, key := "kc_sid = ?", sid
	if sid == "" {
		where, key = "kc_sub = ?", subject
	}
	done := s.db.On(ctx).Where(where, key).Delete(&sessionRecord{})
	return done.RowsAffected, database.Translate("deleting sessions", done.Error)
}

// mostSessions is how many of one person's are listed.
const mostSessions = 100

// SessionsOf implements auth.SessionSweeper.
func (s *Store) SessionsOf(ctx context.Context, subject string, now time.Time) ([]auth.Session, error) {
	var rs []sessionRecord
	err := s.db.On(ctx).Where("kc_sub = ? AND expires_at > ?", subject, now.UTC()).Order("seen_at DESC, hash").Limit(mostSessions).Find(&rs).Error
	if err != nil {
		return nil, database.Translate("listing sessions", err)
	}
	out := make([]auth.Session, 0, len(rs))
	for _, r := range rs {
		x, err := r.session()
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// DeleteExpired implements auth.SessionSweeper. It is several statements: what one leaves, the next round takes.
func (s *Store) DeleteExpired(ctx context.Context, now, idleSince time.Time) error {
	now, idleSince = now.UTC(), idleSince.UTC()
	if err := s.db.On(ctx).Delete(&sessionRecord{}, "expires_at <= ? OR seen_at < ?", now, idleSince).Error; err != nil {
		return database.Translate("deleting expired sessions", err)
	}
	if err := s.db.On(ctx).Delete(&flowRecord{}, "expires_at <= ?", now).Error; err != nil {
		return database.Translate("deleting expired sign-ins", err)
	}
	if err := s.db.On(ctx).Delete(&signalRecord{}, "expires_at <= ?", now).Error; err != nil {
		return database.Translate("deleting expired signals", err)
	}
	if err := s.db.On(ctx).Delete(&tryRecord{}, "spent_to <= ?", now).Error; err != nil {
		return database.Translate("deleting old tries", err)
	}
	// Links stay a day, so that "used or too old" can be told from "never was" in the records.
	err := s.db.On(ctx).Delete(&linkRecord{}, "expires_at <= ?", now.AddDate(0, 0, -1)).Error
	return database.Translate("deleting expired links", err)
}
