package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"

	"chatiere/tenants"
)

// SessionRecords is what Sessions needs of the database.
type SessionRecords interface {
	SessionStore
	SessionSweeper
}

// Sessions opens, recognises and ends sessions.
type Sessions struct {
	Store    SessionRecords
	People   People
	Provider *Provider
	Seal     *Seal
	Limits   Limits
	Bell     *Bell // rung when sessions end; nil for none
	Now      func() time.Time
	Log      *slog.Logger

	renewals singleflight.Group
}

// Visit is a recognised session.
type Visit struct {
	Session Session
	// Stale: the issuer does not answer, the rights are the last known ones, and nothing dangerous may be done with them.
	Stale bool
}

// touchEvery keeps each page view from being a write.
const touchEvery = time.Minute

// Resolve returns the session a cookie stands for, with its rights renewed if they are old. It answers ErrEnded when there
// is none (any more).
func (s *Sessions) Resolve(ctx context.Context, cookie, address string) (Visit, error) {
	return s.resolve(ctx, hashOf(cookie), NetworkOf(address))
}

// ResolveHash is Resolve for those who kept the hash, such as a stream that asks again from time to time.
func (s *Sessions) ResolveHash(ctx context.Context, hash Hash) (Visit, error) {
	return s.resolve(ctx, hash, "")
}

func (s *Sessions) resolve(ctx context.Context, hash Hash, network string) (Visit, error) {
	found, err := s.Store.Session(ctx, hash)
	if errors.Is(err, tenants.ErrNotFound) {
		return Visit{}, ErrEnded
	}
	if err != nil {
		return Visit{}, fmt.Errorf("reading session: %w", err)
	}
	now := s.Now()
	limits := s.Limits.orDefaults()
	if found.over(now, limits.Idle) {
		return Visit{}, errors.Join(ErrEnded, s.Store.DeleteSession(ctx, hash))
	}
	if now.Sub(found.SeenAt) >= touchEvery {
		if err := s.Store.TouchSession(ctx, hash, now, network); err != nil {
			return Visit{}, fmt.Errorf("touching session: %w", err)
		}
	}
	if found.Kind == KindBreakGlass || now.Sub(found.RightsAt) < limits.Rights {
		return Visit{Session: found}, nil
	}
	return s.renewed(ctx, found)
}

// renewed shares one renewal among all requests of the session: a rotated refresh token is good for one use.
func (s *Sessions) renewed(ctx context.Context, old Session) (Visit, error) {
	v, err, _ := s.renewals.Do(string(old.Hash[:]), func() (any, error) {
		// The first request's end must not fail the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		return s.renew(ctx, old.Hash)
	})
	switch {
	case err == nil:
		return Visit{Session: v.(Session)}, nil
	case errors.Is(err, ErrEnded):
		return Visit{}, err
	}
	s.Log.WarnContext(ctx, "rights not renewed", "subject", old.Subject, "rights_at", old.RightsAt, "error", err)
	return Visit{Session: old, Stale: true}, nil
}

func (s *Sessions) renew(ctx context.Context, hash Hash) (Session, error) {
	// Read again: a request just before may have renewed it.
	x, err := s.Store.Session(ctx, hash)
	if errors.Is(err, tenants.ErrNotFound) {
		return x, ErrEnded
	}
	if err != nil {
		return x, err
	}
	now := s.Now()
	if now.Sub(x.RightsAt) < s.Limits.orDefaults().Rights {
		return x, nil
	}
	refresh, err := s.Seal.open(x.Refresh, hash)
	if err != nil || refresh == "" {
		// Without a way to ask again the rights could never change: sign in again.
		return x, errors.Join(ErrEnded, err, s.Store.DeleteSession(ctx, hash))
	}
	if s.Provider.id.Rights == RightsDirectory {
		if err := s.copyFresh(ctx); err != nil {
			return x, err // before a refresh token that is good for one use is spent
		}
	}
	g, err := s.Provider.renew(ctx, refresh)
	if errors.Is(err, errGrant) || (err == nil && g.claims.Subject != x.Subject) {
		return x, errors.Join(ErrEnded, err, s.Store.DeleteSession(ctx, hash))
	}
	if err != nil {
		return x, err
	}
	m, err := s.member(ctx, g.claims, now)
	if err != nil {
		return x, err
	}
	x = s.apply(x, g, m)
	if err := s.Store.RenewSession(ctx, x); err != nil {
		return x, fmt.Errorf("storing renewed rights: %w", err)
	}
	s.remember(ctx, m)
	return x, nil
}

// apply writes what the issuer says now into the session; its level of authentication stays that of its opening.
func (s *Sessions) apply(x Session, g grant, m tenants.Member) Session {
	x.Username, x.Name, x.Email = m.Username, m.Name, m.Email
	x.CoopAdmin, x.Memberships, x.RightsAt = m.CoopAdmin, m.Memberships, m.SeenAt
	x.IDToken = s.Seal.close(g.idToken, x.Hash)
	if g.refresh != "" {
		x.Refresh = s.Seal.close(g.refresh, x.Hash)
	}
	return x
}

// open makes a session and returns what its cookie carries.
func (s *Sessions) open(ctx context.Context, g grant, from Origin) (Session, string, error) {
	now := s.Now()
	x, cookie := s.fresh(KindIdentity, now, s.Limits.orDefaults().Absolute, from)
	x.Subject, x.SID, x.ACR = g.claims.Subject, g.claims.SID, g.claims.ACR
	if g.claims.AuthTime > 0 {
		x.AuthTime = time.Unix(g.claims.AuthTime, 0).UTC()
	}
	m, err := s.member(ctx, g.claims, now)
	if err != nil {
		return x, "", err
	}
	x = s.apply(x, g, m)
	if err := s.Store.InsertSession(ctx, x); err != nil {
		return x, "", fmt.Errorf("storing session: %w", err)
	}
	s.remember(ctx, m)
	return x, cookie, nil
}

func (s *Sessions) fresh(kind SessionKind, now time.Time, life time.Duration, from Origin) (Session, string) {
	cookie := randomSecret()
	x := Session{Hash: hashOf(cookie), Kind: kind, CreatedAt: now, SeenAt: now, RightsAt: now, ExpiresAt: now.Add(life),
		Device: DeviceOf(from.Agent), Network: NetworkOf(from.Address)}
	_, _ = rand.Read(x.CSRF[:])
	return x, cookie
}

// Close ends the session a cookie stands for; an unknown one is success.
func (s *Sessions) Close(ctx context.Context, hash Hash) error {
	if err := s.Store.DeleteSession(ctx, hash); err != nil {
		return fmt.Errorf("ending session: %w", err)
	}
	s.ring()
	return nil
}

// CloseCookie ends the session of a browser that is about to get another one.
func (s *Sessions) CloseCookie(ctx context.Context, cookie string) error {
	if cookie == "" {
		return nil
	}
	return s.Close(ctx, hashOf(cookie))
}

// List returns a person's open sessions, the one used last first.
func (s *Sessions) List(ctx context.Context, subject string) ([]Session, error) {
	now, idle := s.Now(), s.Limits.orDefaults().Idle
	found, err := s.Store.SessionsOf(ctx, subject, now)
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return slices.DeleteFunc(found, func(x Session) bool { return x.over(now, idle) }), nil
}

// End ends one of a person's sessions by its id; tenants.ErrNotFound when there is none of that name.
func (s *Sessions) End(ctx context.Context, subject, id string) (Session, error) {
	found, err := s.List(ctx, subject)
	if err != nil {
		return Session{}, err
	}
	i := slices.IndexFunc(found, func(x Session) bool { return x.ID() == id })
	if i < 0 {
		return Session{}, fmt.Errorf("ending session %s: %w", id, tenants.ErrNotFound)
	}
	return found[i], s.Close(ctx, found[i].Hash)
}

// EndAll ends every session of a person, here and inside sites.
func (s *Sessions) EndAll(ctx context.Context, subject string) (int64, error) {
	if err := s.People.SignedOut(ctx, subject, s.Now()); err != nil {
		return 0, fmt.Errorf("ending all sessions: %w", err)
	}
	n, err := s.Store.DeleteSessionsOf(ctx, "", subject)
	if err != nil {
		return 0, fmt.Errorf("ending all sessions: %w", err)
	}
	s.ring()
	return n, nil
}

func (s *Sessions) ring() {
	if s.Bell != nil {
		s.Bell.Ring()
	}
}

// Farewell returns where to send the browser so that the issuer's session ends too; "" when there is no such place.
func (s *Sessions) Farewell(x Session) string {
	c, err := s.Provider.connected()
	if err != nil || c.endSession == "" || x.Kind != KindIdentity {
		return ""
	}
	q := url.Values{"client_id": {s.Provider.id.ClientID}, "post_logout_redirect_uri": {s.Provider.id.PublicURL + "/"}}
	if hint, err := s.Seal.open(x.IDToken, x.Hash); err == nil && hint != "" {
		q.Set("id_token_hint", hint)
	}
	return c.endSession + "?" + q.Encode()
}

// Sweep removes what is over, until ctx is.
func (s *Sessions) Sweep(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.Now()
		if err := s.Store.DeleteExpired(ctx, now, now.Add(-s.Limits.orDefaults().Idle)); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "expired sessions not removed", "error", err)
		}
	}
}
