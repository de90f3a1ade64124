package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"

	"chatiere/tenants"
	"chatiere/tenants/identity"
)

// SessionRecords is what Sessions needs of the database.
type SessionRecords interface {
	SessionStore
	SessionSweeper
}

// Sessions opens, recognises and ends sessions.
type Sessions struct {
	Store    SessionRecords
	Members  MemberStore
	Provider *identity.Provider
	Sealer   *Sealer
	Limits   Limits
	Changes  *Changes // notified when sessions end; may be nil
	Now      func() time.Time
	Log      *slog.Logger

	renewals singleflight.Group
}

// Resolved is the session of a request.
type Resolved struct {
	Session Session
	// Stale: the issuer does not answer, the rights are the last known ones, and nothing dangerous may be done with them.
	Stale bool
}

// touchInterval prevents a write for each page view.
const touchInterval = time.Minute

// Resolve returns the session of a cookie, with its rights renewed if they are old. It returns ErrEnded when there is none
// (any more).
func (s *Sessions) Resolve(ctx context.Context, cookie, address string) (Resolved, error) {
	return s.resolve(ctx, hashOf(cookie), NetworkOf(address))
}

// ResolveHash is Resolve for callers that kept the hash, such as a stream that checks again from time to time.
func (s *Sessions) ResolveHash(ctx context.Context, hash Hash) (Resolved, error) {
	return s.resolve(ctx, hash, "")
}

func (s *Sessions) resolve(ctx context.Context, hash Hash, network string) (Resolved, error) {
	found, err := s.Store.Session(ctx, hash)
	if errors.Is(err, tenants.ErrNotFound) {
		return Resolved{}, ErrEnded
	}
	if err != nil {
		return Resolved{}, fmt.Errorf("reading session: %w", err)
	}
	now := s.Now()
	limits := s.Limits.withDefaults()
	if found.expired(now, limits.Idle) {
		return Resolved{}, errors.Join(ErrEnded, s.Store.DeleteSession(ctx, hash))
	}
	if now.Sub(found.SeenAt) >= touchInterval {
		if err := s.Store.TouchSession(ctx, hash, now, network); err != nil {
			return Resolved{}, fmt.Errorf("touching session: %w", err)
		}
	}
	if found.Kind == KindBreakGlass || now.Sub(found.RightsAt) < limits.Rights {
		return Resolved{Session: found}, nil
	}
	return s.renewOnce(ctx, found)
}

// renewalTimeout bounds one renewal.
const renewalTimeout = 10 * time.Second

// renewOnce shares one renewal among all requests of the session: a rotated refresh token can be used once.
func (s *Sessions) renewOnce(ctx context.Context, old Session) (Resolved, error) {
	v, err, _ := s.renewals.Do(string(old.Hash[:]), func() (any, error) {
		// The first request's end must not fail the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalTimeout)
		defer cancel()
		return s.renew(ctx, old.Hash)
	})
	switch {
	case err == nil:
		return Resolved{Session: v.(Session)}, nil
	case errors.Is(err, ErrEnded):
		return Resolved{}, err
	}
	s.Log.WarnContext(ctx, "rights not renewed", "subject", old.Subject, "rights_at", old.RightsAt, "error", err)
	return Resolved{Session: old, Stale: true}, nil
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
	if now.Sub(x.RightsAt) < s.Limits.withDefaults().Rights {
		return x, nil
	}
	refresh, err := s.Sealer.unseal(x.Refresh, hash)
	if err != nil || refresh == "" {
		// Without a way to ask again the rights could never change: sign in again.
		return x, errors.Join(ErrEnded, err, s.Store.DeleteSession(ctx, hash))
	}
	if err := s.rights().CheckAge(ctx); err != nil {
		return x, err // before a refresh token that is good for one use is spent
	}
	g, err := s.Provider.Renew(ctx, refresh)
	if errors.Is(err, identity.ErrGrant) || (err == nil && g.Claims.Subject != x.Subject) {
		return x, errors.Join(ErrEnded, err, s.Store.DeleteSession(ctx, hash))
	}
	if err != nil {
		return x, err
	}
	m, err := s.rights().Member(ctx, g.Claims, now)
	if err != nil {
		return x, err
	}
	x = s.apply(x, g, m)
	if err := s.Store.RenewSession(ctx, x); err != nil {
		return x, fmt.Errorf("storing renewed rights: %w", err)
	}
	s.saveMember(ctx, m)
	return x, nil
}

// apply writes what the issuer says now into the session; its level of authentication stays that of its opening.
func (s *Sessions) apply(x Session, g identity.Grant, m tenants.Member) Session {
	x.Username, x.Name, x.Email = m.Username, m.Name, m.Email
	x.CoopAdmin, x.Memberships, x.RightsAt = m.CoopAdmin, m.Memberships, m.SeenAt
	x.IDToken = s.Sealer.seal(g.IDToken, x.Hash)
	if g.Refresh != "" {
		x.Refresh = s.Sealer.seal(g.Refresh, x.Hash)
	}
	return x
}

// open makes a session and returns what its cookie carries.
func (s *Sessions) open(ctx context.Context, g identity.Grant, from Origin) (Session, string, error) {
	now := s.Now()
	x, cookie := s.newSession(KindIdentity, now, s.Limits.withDefaults().Absolute, from)
	x.Subject, x.SID, x.ACR = g.Claims.Subject, g.Claims.SID, g.Claims.ACR
	if g.Claims.AuthTime > 0 {
		x.AuthTime = time.Unix(g.Claims.AuthTime, 0).UTC()
	}
	m, err := s.rights().Member(ctx, g.Claims, now)
	if err != nil {
		return x, "", err
	}
	x = s.apply(x, g, m)
	if err := s.Store.InsertSession(ctx, x); err != nil {
		return x, "", fmt.Errorf("storing session: %w", err)
	}
	s.saveMember(ctx, m)
	return x, cookie, nil
}

func (s *Sessions) newSession(kind SessionKind, now time.Time, life time.Duration, from Origin) (Session, string) {
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
	s.notify()
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
	now, idle := s.Now(), s.Limits.withDefaults().Idle
	found, err := s.Store.SessionsOf(ctx, subject, now)
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	return slices.DeleteFunc(found, func(x Session) bool { return x.expired(now, idle) }), nil
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
	if err := s.Members.SignedOut(ctx, subject, s.Now()); err != nil {
		return 0, fmt.Errorf("ending all sessions: %w", err)
	}
	n, err := s.Store.DeleteSessionsOf(ctx, "", subject)
	if err != nil {
		return 0, fmt.Errorf("ending all sessions: %w", err)
	}
	s.notify()
	return n, nil
}

func (s *Sessions) notify() {
	if s.Changes != nil {
		s.Changes.Notify()
	}
}

// LogoutURL returns the address that ends the issuer's session too; "" when there is none.
func (s *Sessions) LogoutURL(x Session) string {
	if x.Kind != KindIdentity {
		return ""
	}
	hint, _ := s.Sealer.unseal(x.IDToken, x.Hash) // without it the issuer asks
	return s.Provider.LogoutURL(hint)
}

// DeleteExpired removes expired records regularly, until ctx ends.
func (s *Sessions) DeleteExpired(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.Now()
		if err := s.Store.DeleteExpired(ctx, now, now.Add(-s.Limits.withDefaults().Idle)); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "expired sessions not removed", "error", err)
		}
	}
}

func (s *Sessions) rights() identity.Rights {
	return s.Provider.Rights(s.Members, s.Limits.maxCopyAge())
}

// saveMember updates the local copy of the member. An error is only logged: it must not block sign-in. Rights that were
// read from that copy are not written back, or a right that the worker has just revoked would return.
func (s *Sessions) saveMember(ctx context.Context, m tenants.Member) {
	if s.rights().From == identity.RightsDirectory {
		if _, err := s.Members.Person(ctx, m.Subject); err == nil {
			return
		}
		m.CoopAdmin, m.Memberships = false, nil
	}
	if err := s.Members.SaveMember(ctx, m); err != nil {
		s.Log.ErrorContext(ctx, "member not saved", "subject", m.Subject, "error", err)
	}
}
