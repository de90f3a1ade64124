package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/identity"
)

// Session is one browser that has signed in.
type Session struct {
	Hash        Hash // of what the cookie carries
	Kind        SessionKind
	Subject     string
	SID         string // the issuer's session, for back-channel logout
	Username    string
	Name        string
	Email       string
	CoopAdmin   bool
	Memberships map[string]tenants.Role
	ACR         string // level of authentication when it was opened; a refresh does not raise it
	AuthTime    time.Time
	CSRF        [32]byte
	Refresh     []byte // sealed
	IDToken     []byte // sealed
	CreatedAt   time.Time
	SeenAt      time.Time
	RightsAt    time.Time // when the issuer last told the rights
	ExpiresAt   time.Time // absolute
	Device      Device    // it was opened with
	Network     string    // it was last used from
}

// ID is the session's public id, which reveals neither the cookie nor the stored hash.
func (s Session) ID() string {
	sum := sha256.Sum256(append([]byte("chatiere session id v1\n"), s.Hash[:]...))
	return hex.EncodeToString(sum[:8])
}

// SessionKind is how the session was authenticated.
type SessionKind string

// The kinds of sessions.
const (
	KindIdentity   SessionKind = "identity"
	KindBreakGlass SessionKind = "break_glass"
)

// BreakGlassSubject is the id such a session acts under.
const BreakGlassSubject = "break-glass"

// SecondFactor reports whether it was opened with one.
func (s Session) SecondFactor() bool { return s.Kind == KindBreakGlass || identity.SecondFactor(s.ACR) }

// Principal is the session's owner with the rights last known.
func (s Session) Principal() tenants.Principal {
	return tenants.Principal{
		Kind: tenants.KindPerson, ID: s.Subject, Name: s.Name, Email: s.Email,
		CoopAdmin: s.CoopAdmin, SecondFact: s.SecondFactor(), Memberships: s.Memberships,
	}
}

func (s Session) expired(now time.Time, idle time.Duration) bool {
	return !now.Before(s.ExpiresAt) || now.Sub(s.SeenAt) > idle
}

// Limits bounds sessions in time.
type Limits struct {
	Idle     time.Duration // without a request; 0: 8 h
	Absolute time.Duration // whatever happens; 0: 24 h
	Rights   time.Duration // how old rights may get before they are asked for again; 0: 5 min
}

// maxCopyAge is how old the worker's copy of everybody's rights may get: the worker reads them about as often as sessions
// renew theirs, and one reading may fail.
func (l Limits) maxCopyAge() time.Duration { return 2 * l.withDefaults().Rights }

// WithDefaults returns the limits with the defaults filled in.
func (l Limits) WithDefaults() Limits { return l.withDefaults() }

func (l Limits) withDefaults() Limits {
	if l.Idle == 0 {
		l.Idle = 8 * time.Hour
	}
	if l.Absolute == 0 {
		l.Absolute = 24 * time.Hour
	}
	if l.Rights == 0 {
		l.Rights = 5 * time.Minute
	}
	return l
}
