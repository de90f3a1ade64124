package authtest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"chatiere/panel/auth"
	"chatiere/tenants"
)

// Store keeps everything in memory, people and audit trail included.
type Store struct {
	mu        sync.Mutex
	sessions  map[auth.Hash]auth.Session
	flows     map[auth.Hash]auth.Flow
	tokens    map[string]auth.Token
	links     map[auth.Hash]auth.Link
	people    map[string]tenants.Member
	signedOut map[string]time.Time
	trail     []tenants.AuditEntry
	signals   map[auth.Hash]time.Time
	tries     map[auth.Hash]time.Time
	away      bool // tries cannot be read or written
	rights    time.Duration
	unread    bool // nobody ever read everybody's rights
}

var (
	_ auth.Store       = (*Store)(nil)
	_ auth.MemberStore = (*Store)(nil)
	_ auth.Auditor     = (*Store)(nil)
)

// NewStore returns an empty one.
func NewStore() *Store {
	return &Store{
		sessions: map[auth.Hash]auth.Session{}, flows: map[auth.Hash]auth.Flow{}, tokens: map[string]auth.Token{},
		links: map[auth.Hash]auth.Link{}, people: map[string]tenants.Member{}, signedOut: map[string]time.Time{}, signals: map[auth.Hash]time.Time{}, tries: map[auth.Hash]time.Time{},
	}
}

// InsertSession implements auth.SessionStore.
func (s *Store) InsertSession(_ context.Context, x auth.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[x.Hash] = x
	return nil
}

// Session implements auth.SessionStore.
func (s *Store) Session(_ context.Context, h auth.Hash) (auth.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.sessions[h]
	if !ok {
		return x, tenants.ErrNotFound
	}
	x.Memberships = maps.Clone(x.Memberships)
	return x, nil
}

// TouchSession implements auth.SessionStore.
func (s *Store) TouchSession(_ context.Context, h auth.Hash, seen time.Time, network string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.sessions[h]; ok {
		x.SeenAt = seen
		if network != "" {
			x.Network = network
		}
		s.sessions[h] = x
	}
	return nil
}

// RenewSession implements auth.SessionStore.
func (s *Store) RenewSession(_ context.Context, x auth.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.sessions[x.Hash]
	if !ok {
		return tenants.ErrNotFound
	}
	old.Username, old.Name, old.Email, old.CoopAdmin = x.Username, x.Name, x.Email, x.CoopAdmin
	old.Memberships, old.Refresh, old.IDToken, old.RightsAt = x.Memberships, x.Refresh, x.IDToken, x.RightsAt
	s.sessions[x.Hash] = old
	return nil
}

// DeleteSession implements auth.SessionStore.
func (s *Store) DeleteSession(_ context.Context, h auth.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, h)
	return nil
}

// DeleteSessionsOf implements auth.SessionSweeper.
func (s *Store) DeleteSessionsOf(_ context.Context, sid, subject string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for h, x := range s.sessions {
		if (sid != "" && x.SID == sid) || (sid == "" && x.Subject == subject) {
			delete(s.sessions, h)
			n++
		}
	}
	return n, nil
}

// SessionsOf implements auth.SessionSweeper.
func (s *Store) SessionsOf(_ context.Context, subject string, now time.Time) ([]auth.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []auth.Session
	for _, x := range s.sessions {
		if x.Subject == subject && x.ExpiresAt.After(now) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b auth.Session) int { return b.SeenAt.Compare(a.SeenAt) })
	return out, nil
}

// RecordLogout implements auth.SignalStore.
func (s *Store) RecordLogout(ctx context.Context, token auth.Hash, until time.Time, sid, subject string) (int64, error) {
	s.mu.Lock()
	_, again := s.signals[token]
	s.signals[token] = until
	s.mu.Unlock()
	if again {
		return 0, tenants.ErrConflict
	}
	n, err := s.DeleteSessionsOf(ctx, sid, subject)
	s.mu.Lock()
	defer s.mu.Unlock()
	for h, x := range s.sessions {
		if subject != "" && x.Subject == subject {
			x.RightsAt = time.Unix(0, 0)
			s.sessions[h] = x
		}
	}
	return n, err
}

// Away makes counting tries fail.
func (s *Store) Away(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// TakeToken implements auth.TryStore.
func (s *Store) TakeToken(_ context.Context, key auth.Hash, now time.Time, interval time.Duration, burst int) (bool, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return false, time.Time{}, tenants.ErrUnavailable
	}
	spent := s.tries[key]
	if spent.Before(now) {
		spent = now
	}
	if next := spent.Add(interval); !next.After(now.Add(time.Duration(burst) * interval)) {
		s.tries[key] = next
		return true, next, nil
	}
	return false, spent, nil
}

// SetSpent implements auth.TryStore.
func (s *Store) SetSpent(_ context.Context, key auth.Hash, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries[key] = until
	return nil
}

// SpentUntil implements auth.TryStore.
func (s *Store) SpentUntil(_ context.Context, key auth.Hash) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries[key], nil
}

// RevokeTokensOf implements auth.TokenStore.
func (s *Store) RevokeTokensOf(_ context.Context, m auth.Owner, now time.Time) (n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, t := range s.tokens {
		if t.RevokedAt == nil && t.Owner == m {
			t.RevokedAt = &now
			s.tokens[id] = t
			n++
		}
	}
	return n, nil
}

// DeleteExpired implements auth.SessionSweeper.
func (s *Store) DeleteExpired(_ context.Context, now, idleSince time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.sessions, func(_ auth.Hash, x auth.Session) bool { return !x.ExpiresAt.After(now) || x.SeenAt.Before(idleSince) })
	maps.DeleteFunc(s.flows, func(_ auth.Hash, f auth.Flow) bool { return !f.ExpiresAt.After(now) })
	maps.DeleteFunc(s.signals, func(_ auth.Hash, until time.Time) bool { return !until.After(now) })
	maps.DeleteFunc(s.tries, func(_ auth.Hash, until time.Time) bool { return !until.After(now) })
	maps.DeleteFunc(s.links, func(_ auth.Hash, l auth.Link) bool { return !l.ExpiresAt.After(now.AddDate(0, 0, -1)) })
	return nil
}

// InsertFlow implements auth.FlowStore.
func (s *Store) InsertFlow(_ context.Context, f auth.Flow) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flows[f.State] = f
	return nil
}

// TakeFlow implements auth.FlowStore.
func (s *Store) TakeFlow(_ context.Context, state auth.Hash) (auth.Flow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.flows[state]
	if !ok {
		return f, tenants.ErrNotFound
	}
	delete(s.flows, state)
	return f, nil
}

// InsertToken implements auth.TokenStore.
func (s *Store) InsertToken(_ context.Context, t auth.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[t.ID] = t
	return nil
}

// TokenByHash implements auth.TokenStore.
func (s *Store) TokenByHash(_ context.Context, h auth.Hash) (auth.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.Hash == h {
			return t, nil
		}
	}
	return auth.Token{}, tenants.ErrNotFound
}

// Tokens implements auth.TokenStore.
func (s *Store) Tokens(_ context.Context, m auth.Owner) ([]auth.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []auth.Token
	for _, t := range s.tokens {
		if t.RevokedAt == nil && (m == auth.Owner{} || t.Owner == m) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b auth.Token) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, nil
}

// RevokeToken implements auth.TokenStore.
func (s *Store) RevokeToken(_ context.Context, id string, m auth.Owner, now time.Time) (auth.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[id]
	if !ok || t.RevokedAt != nil || (m != auth.Owner{} && t.Owner != m) {
		return auth.Token{}, tenants.ErrNotFound
	}
	t.RevokedAt = &now
	s.tokens[id] = t
	return t, nil
}

// UseToken implements auth.TokenStore.
func (s *Store) UseToken(_ context.Context, id string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tokens[id]; ok {
		t.UsedAt = &now
		s.tokens[id] = t
	}
	return nil
}

// InsertLink implements auth.LinkStore.
func (s *Store) InsertLink(_ context.Context, l auth.Link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[l.Hash] = l
	return nil
}

// Link implements auth.LinkStore.
func (s *Store) Link(_ context.Context, h auth.Hash) (auth.Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.links[h]
	if !ok {
		return l, tenants.ErrNotFound
	}
	return l, nil
}

// UseLink implements auth.LinkStore.
func (s *Store) UseLink(_ context.Context, h auth.Hash, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.links[h]
	if !ok || l.UsedAt != nil || !l.ExpiresAt.After(now) {
		return tenants.ErrNotFound
	}
	l.UsedAt = &now
	s.links[h] = l
	return nil
}

// SaveMember implements auth.People.
func (s *Store) SaveMember(_ context.Context, m tenants.Member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people[m.Subject] = m
	return nil
}

// SignedOut implements auth.People.
func (s *Store) SignedOut(_ context.Context, subject string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signedOut[subject] = at
	return nil
}

// SignedOutAt is when all of a person's sessions were last ended.
func (s *Store) SignedOutAt(subject string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signedOut[subject]
}

// Person implements auth.People.
func (s *Store) Person(_ context.Context, subject string) (tenants.Member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.people[subject]
	if !ok {
		return m, tenants.ErrNotFound
	}
	return m, nil
}

// RightsAge implements auth.People: fresh, unless a test says otherwise.
func (s *Store) RightsAge(context.Context) (time.Duration, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rights, !s.unread, nil
}

// SetRightsAge says how long ago everybody's rights were read, or that they never were.
func (s *Store) SetRightsAge(age time.Duration, ever bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rights, s.unread = age, !ever
}

// Audit implements auth.Auditor.
func (s *Store) Audit(_ context.Context, e tenants.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trail = append(s.trail, e)
	return nil
}

// Audited lists the actions in the trail.
func (s *Store) Audited() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.trail {
		out = append(out, e.Action)
	}
	return out
}
