package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// LimitKind is a kind of attempt that is limited.
type LimitKind string

// The kinds of attempts. All but a start count only when they fail: a whole office comes from one address, and a person
// with a valid secret must not be limited because of a colleague without one.
const (
	LimitStart    LimitKind = "start"  // a sign-in that starts
	LimitCallback LimitKind = "answer" // a callback that matches no sign-in
	LimitLink     LimitKind = "link"   // an invalid break-glass link
	LimitToken    LimitKind = "token"  // an invalid API token
	LimitLogout   LimitKind = "signal" // an invalid logout token posted to the back channel
)

// rate is a bucket: so many at once, then one more per interval. Its state is in the database, which
// golang.org/x/time/rate knows nothing of: a restart gives nobody new attempts.
type rate struct {
	burst    int
	interval time.Duration
}

// Thirty people who come back from a general meeting start sixty sign-ins, second factors included, from one address
// within two minutes: that must pass. Guessing does not pay at any rate (every secret has 256 bits, passwords are
// Keycloak's to guard), so the bounds keep load and logs in hand, not secrets. The bounds for everybody together are what
// a small server carries.
var (
	perAddress = map[LimitKind]rate{
		LimitStart: {60, 2 * time.Second}, LimitCallback: {30, 10 * time.Second}, LimitLink: {10, 30 * time.Second},
		LimitToken: {30, 10 * time.Second}, LimitLogout: {100, 500 * time.Millisecond},
	}
	overall = map[LimitKind]rate{
		// A sign-in that begins costs a row and a redirect. The bound is wide, so that some dozens of addresses cannot keep
		// everybody else's from beginning.
		LimitStart: {2000, 25 * time.Millisecond}, LimitCallback: {300, 500 * time.Millisecond}, LimitLink: {100, 2 * time.Second},
		LimitToken: {300, 200 * time.Millisecond},
	}
)

// trustFor is how long an address from which somebody signed in is exempt from the overall limits.
const trustFor = 30 * 24 * time.Hour

// LimitStore stores how much of each token bucket is spent; keys do not reveal addresses.
type LimitStore interface {
	// TakeToken takes a token from a bucket of burst tokens that is refilled with one per interval. It reports whether one
	// was left, and until when the bucket is spent.
	TakeToken(ctx context.Context, key Hash, now time.Time, interval time.Duration, burst int) (ok bool, spentTo time.Time, err error)
	// SetSpent spends a bucket until an instant; TryHeld tells until when it is spent, zero for one that is full.
	SetSpent(ctx context.Context, key Hash, until time.Time) error
	SpentUntil(ctx context.Context, key Hash) (time.Time, error)
}

// Limiter limits attempts to sign in, by address and overall. Buckets are stored in the database, so that a restart resets
// nothing; while the database is away they are kept in memory.
type Limiter struct {
	store LimitStore
	key   []byte
	now   func() time.Time
	log   *slog.Logger

	mu       sync.Mutex
	blocked  map[Hash]time.Time // buckets known to be empty, so that a flood causes no queries
	fallback map[LimitKind]*AddressLimiter
}

// NewLimiter returns a limiter; key prevents recovering addresses from the database by brute force.
func NewLimiter(store LimitStore, key []byte, now func() time.Time, log *slog.Logger) *Limiter {
	g := &Limiter{store: store, key: key, now: now, log: log, blocked: map[Hash]time.Time{}, fallback: map[LimitKind]*AddressLimiter{}}
	for a, r := range perAddress {
		g.fallback[a] = NewAddressLimiter(r.burst, r.interval, now)
	}
	return g
}

// LimitError is an ErrLimited with the time to wait.
type LimitError struct{ Wait time.Duration }

// Error implements error.
func (t *LimitError) Error() string { return fmt.Sprintf("%v: wait %s", ErrLimited, t.Wait) }

// Unwrap returns ErrLimited.
func (t *LimitError) Unwrap() error { return ErrLimited }

// Take counts an attempt. It returns a *LimitError when none is left, for the address or overall.
func (g *Limiter) Take(ctx context.Context, a LimitKind, address string) error {
	if wait := g.take(ctx, a, network(address), perAddress[a]); wait > 0 {
		return &LimitError{wait}
	}
	all, bounded := overall[a]
	if !bounded {
		return nil
	}
	wait := g.take(ctx, a, "", all)
	if wait == 0 || g.trusted(ctx, address) {
		return nil
	}
	return &LimitError{wait}
}

// Blocked returns a *LimitError when an address is known to have no attempt left, without counting one.
func (g *Limiter) Blocked(a LimitKind, address string) error {
	if wait := g.blockedFor(g.bucketKey(a, network(address))); wait > 0 {
		return &LimitError{wait}
	}
	return nil
}

// Trust records that somebody signed in from an address.
func (g *Limiter) Trust(ctx context.Context, address string) {
	if err := g.store.SetSpent(ctx, g.bucketKey("welcome", network(address)), g.now().Add(trustFor)); err != nil {
		g.log.WarnContext(ctx, "trusted network not stored", "error", err)
	}
}

func (g *Limiter) trusted(ctx context.Context, address string) bool {
	until, err := g.store.SpentUntil(ctx, g.bucketKey("welcome", network(address)))
	return err == nil && until.After(g.now())
}

func (g *Limiter) bucketKey(a LimitKind, network string) (h Hash) {
	m := hmac.New(sha256.New, g.key)
	_, _ = m.Write([]byte("chatiere tries v1\n" + string(a) + "\n" + network)) // a hash never fails
	copy(h[:], m.Sum(nil))
	return h
}

// take takes a token and returns how long to wait if there was none.
func (g *Limiter) take(ctx context.Context, a LimitKind, network string, r rate) time.Duration {
	key := g.bucketKey(a, network)
	if wait := g.blockedFor(key); wait > 0 {
		return wait
	}
	now := g.now()
	ok, spentTo, err := g.store.TakeToken(ctx, key, now, r.interval, r.burst)
	switch {
	case err != nil:
		g.log.WarnContext(ctx, "attempts are counted in memory", "attempt", string(a), "error", err)
		if g.fallback[a].Allow(network) {
			return 0
		}
		return r.interval
	case ok:
		return 0
	}
	free := spentTo.Add(r.interval).Add(-time.Duration(r.burst) * r.interval)
	g.block(key, free)
	return max(free.Sub(now), time.Second)
}

// blockedFor returns how long a bucket is known to stay empty.
func (g *Limiter) blockedFor(key Hash) time.Duration {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	free, barred := g.blocked[key]
	if !barred {
		return 0
	}
	if !free.After(now) {
		delete(g.blocked, key)
		return 0
	}
	return free.Sub(now)
}

func (g *Limiter) block(key Hash, free time.Time) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.blocked) >= maxAddresses {
		for k, until := range g.blocked {
			if !until.After(now) {
				delete(g.blocked, k)
			}
		}
	}
	if len(g.blocked) < maxAddresses { // beyond it the database answers
		g.blocked[key] = free
	}
}
