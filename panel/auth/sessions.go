package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
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
func (s *Sessions) Resolve(ctx context.Context, cookie string) (Visit, error) {
	return s.ResolveHash(ctx, hashOf(cookie))
}

// ResolveHash is Resolve for those who kept the hash, such as a stream that asks again from time to time.
func (s *Sessions) ResolveHash(ctx context.Context, hash Hash) (Visit, error) {
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
		if err := s.Store.TouchSession(ctx, hash, now); err != nil {
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
	g, err := s.Provider.renew(ctx, refresh)
	if errors.Is(err, errGrant) || (err == nil && g.claims.Subject != x.Subject) {
		return x, errors.Join(ErrEnded, err, s.Store.DeleteSession(ctx, hash))
	}
	if err != nil {
		return x, err
	}
	x = s.apply(x, g, now)
	if err := s.Store.RenewSession(ctx, x); err != nil {
		return x, fmt.Errorf("storing renewed rights: %w", err)
	}
	s.remember(ctx, g.claims.member(now))
	return x, nil
}

// apply writes what the issuer says now into the session; its level of authentication stays that of its opening.
func (s *Sessions) apply(x Session, g grant, now time.Time) Session {
	m := g.claims.member(now)
	x.Username, x.Name, x.Email = m.Username, m.Name, m.Email
	x.CoopAdmin, x.Memberships, x.RightsAt = m.CoopAdmin, m.Memberships, now
	x.IDToken = s.Seal.close(g.idToken, x.Hash)
	if g.refresh != "" {
		x.Refresh = s.Seal.close(g.refresh, x.Hash)
	}
	return x
}

// open makes a session and returns what its cookie carries.
func (s *Sessions) open(ctx context.Context, g grant) (Session, string, error) {
	now := s.Now()
	x, cookie := s.fresh(KindIdentity, now, s.Limits.orDefaults().Absolute)
	x.Subject, x.SID, x.ACR = g.claims.Subject, g.claims.SID, g.claims.ACR
	if g.claims.AuthTime > 0 {
		x.AuthTime = time.Unix(g.claims.AuthTime, 0).UTC()
	}
	x = s.apply(x, g, now)
	if err := s.Store.InsertSession(ctx, x); err != nil {
		return x, "", fmt.Errorf("storing session: %w", err)
	}
	s.remember(ctx, g.claims.member(now))
	return x, cookie, nil
}

func (s *Sessions) fresh(kind SessionKind, now time.Time, life time.Duration) (Session, string) {
	cookie := randomSecret()
	x := Session{Hash: hashOf(cookie), Kind: kind, CreatedAt: now, SeenAt: now, RightsAt: now, ExpiresAt: now.Add(life)}
	_, _ = rand.Read(x.CSRF[:])
	return x, cookie
}

// remember mirrors the member; failing to is no reason to keep a person out.
func (s *Sessions) remember(ctx context.Context, m tenants.Member) {
	if err := s.People.SavePerson(ctx, m); err != nil {
		s.Log.ErrorContext(ctx, "member not mirrored", "subject", m.Subject, "error", err)
	}
}

// Close ends the session a cookie stands for; an unknown one is success.
func (s *Sessions) Close(ctx context.Context, hash Hash) error {
	if err := s.Store.DeleteSession(ctx, hash); err != nil {
		return fmt.Errorf("ending session: %w", err)
	}
	return nil
}

// CloseCookie ends the session of a browser that is about to get another one.
func (s *Sessions) CloseCookie(ctx context.Context, cookie string) error {
	if cookie == "" {
		return nil
	}
	return s.Close(ctx, hashOf(cookie))
}

// Others counts the person's other open sessions.
func (s *Sessions) Others(ctx context.Context, x Session) (int, error) {
	n, err := s.Store.CountSessions(ctx, x.Subject, s.Now())
	return max(0, n-1), err
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
