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

// Attempt is a kind of try to get in.
type Attempt string

// The kinds of tries. All but a start count only when they fail: an association's whole office comes from one address, and
// nobody who has the right key should pay for a neighbour who has not.
const (
	AttemptStart  Attempt = "start"  // a sign-in that begins
	AttemptAnswer Attempt = "answer" // an answer of the issuer that does not fit
	AttemptLink   Attempt = "link"   // a break-glass link that is not good
	AttemptToken  Attempt = "token"  // an API token that is not good
	AttemptSignal Attempt = "signal" // something that the issuer posts
)

// rate is a bucket: so many at once, then one more per interval.
type rate struct {
	burst    int
	interval time.Duration
}

// Thirty people who come back from a general meeting start sixty sign-ins, second factors included, from one address
// within two minutes: that must pass. Guessing does not pay at any rate (every secret has 256 bits, passwords are
// Keycloak's to guard), so the bounds keep load and logs in hand, not secrets. The bounds for everybody together are what
// a small server carries.
var (
	perAddress = map[Attempt]rate{
		AttemptStart: {60, 2 * time.Second}, AttemptAnswer: {30, 10 * time.Second}, AttemptLink: {10, 30 * time.Second},
		AttemptToken: {30, 10 * time.Second}, AttemptSignal: {100, 500 * time.Millisecond},
	}
	together = map[Attempt]rate{
		// A sign-in that begins costs a row and a redirect. The bound is wide, so that some dozens of addresses cannot keep
		// everybody else's from beginning.
		AttemptStart: {2000, 25 * time.Millisecond}, AttemptAnswer: {300, 500 * time.Millisecond}, AttemptLink: {100, 2 * time.Second},
		AttemptToken: {300, 200 * time.Millisecond},
	}
)

// welcomeFor is how long an address from which somebody signed in is not held back because of everybody else's tries.
const welcomeFor = 30 * 24 * time.Hour

// TryStore keeps how much of each bucket is spent; keys tell nothing of addresses.
type TryStore interface {
	// SpendTry takes one from a bucket that holds burst and gets one back per interval. It returns whether one was left,
	// and until when the bucket is spent.
	SpendTry(ctx context.Context, key Hash, now time.Time, interval time.Duration, burst int) (ok bool, spentTo time.Time, err error)
	// HoldTry spends a bucket until an instant; TryHeld tells until when it is spent, zero for one that is full.
	HoldTry(ctx context.Context, key Hash, until time.Time) error
	TryHeld(ctx context.Context, key Hash) (time.Time, error)
}

// Gate bounds tries to get in, by address and for everybody together. What is spent stands in the database, so that a
// restart forgives nothing; while that is away, memory does.
type Gate struct {
	store TryStore
	key   []byte
	now   func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	barred map[Hash]time.Time // buckets known to be empty, so that a flood costs the database nothing
	spare  map[Attempt]*Throttle
}

// NewGate returns one; key keeps the database from telling addresses by trying them all.
func NewGate(store TryStore, key []byte, now func() time.Time, log *slog.Logger) *Gate {
	g := &Gate{store: store, key: key, now: now, log: log, barred: map[Hash]time.Time{}, spare: map[Attempt]*Throttle{}}
	for a, r := range perAddress {
		g.spare[a] = NewThrottle(r.burst, r.interval, now)
	}
	return g
}

// TooMany is ErrTooMany with how long to wait.
type TooMany struct{ Wait time.Duration }

// Error implements error.
func (t *TooMany) Error() string { return fmt.Sprintf("%v: wait %s", ErrTooMany, t.Wait) }

// Unwrap makes it an ErrTooMany.
func (t *TooMany) Unwrap() error { return ErrTooMany }

// Spend counts a try. It answers *TooMany when there is none left, for the address or for everybody.
func (g *Gate) Spend(ctx context.Context, a Attempt, address string) error {
	if wait := g.spend(ctx, a, network(address), perAddress[a]); wait > 0 {
		return &TooMany{wait}
	}
	all, bounded := together[a]
	if !bounded {
		return nil
	}
	wait := g.spend(ctx, a, "", all)
	if wait == 0 || g.welcome(ctx, address) {
		return nil
	}
	return &TooMany{wait}
}

// Barred answers *TooMany when an address is known to have no try left, without counting one.
func (g *Gate) Barred(a Attempt, address string) error {
	if wait := g.known(g.name(a, network(address))); wait > 0 {
		return &TooMany{wait}
	}
	return nil
}

// Welcome notes that somebody signed in from an address.
func (g *Gate) Welcome(ctx context.Context, address string) {
	if err := g.store.HoldTry(ctx, g.name("welcome", network(address)), g.now().Add(welcomeFor)); err != nil {
		g.log.WarnContext(ctx, "sign-in's network not noted", "error", err)
	}
}

func (g *Gate) welcome(ctx context.Context, address string) bool {
	until, err := g.store.TryHeld(ctx, g.name("welcome", network(address)))
	return err == nil && until.After(g.now())
}

func (g *Gate) name(a Attempt, network string) (h Hash) {
	m := hmac.New(sha256.New, g.key)
	_, _ = m.Write([]byte("chatiere tries v1\n" + string(a) + "\n" + network)) // a hash never fails
	copy(h[:], m.Sum(nil))
	return h
}

// spend takes one try and returns how long to wait for the next when there was none.
func (g *Gate) spend(ctx context.Context, a Attempt, network string, r rate) time.Duration {
	key := g.name(a, network)
	if wait := g.known(key); wait > 0 {
		return wait
	}
	now := g.now()
	ok, spentTo, err := g.store.SpendTry(ctx, key, now, r.interval, r.burst)
	switch {
	case err != nil:
		g.log.WarnContext(ctx, "tries are counted in memory", "attempt", string(a), "error", err)
		if g.spare[a].Allow(network) {
			return 0
		}
		return r.interval
	case ok:
		return 0
	}
	free := spentTo.Add(r.interval).Add(-time.Duration(r.burst) * r.interval)
	g.bar(key, free)
	return max(free.Sub(now), time.Second)
}

// known returns how long a bucket is known to stay empty.
func (g *Gate) known(key Hash) time.Duration {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	free, barred := g.barred[key]
	if !barred {
		return 0
	}
	if !free.After(now) {
		delete(g.barred, key)
		return 0
	}
	return free.Sub(now)
}

func (g *Gate) bar(key Hash, free time.Time) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.barred) >= maxAddresses {
		for k, until := range g.barred {
			if !until.After(now) {
				delete(g.barred, k)
			}
		}
	}
	if len(g.barred) < maxAddresses { // beyond it the database answers
		g.barred[key] = free
	}
}
