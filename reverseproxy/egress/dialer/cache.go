package dialer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxCached bounds the number of answers: about half a MiB at worst.
	maxCached = 1024
	// missingTTL is how long "no such host" is cached: a page that asks for a
	// mistyped name does so in a loop.
	missingTTL = 3 * time.Second
)

// cache keeps answers for a short time, so that a page that opens many connections
// resolves once. The time is shorter than any sensible TTL, because the system's
// resolver does not return the TTL.
type cache struct {
	mu      sync.Mutex
	answers map[string]answer
}

type answer struct {
	addresses []netip.Addr
	err       error
	until     time.Time
}

// lookup asks the cache, then the resolver.
func (r *Dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if r.CacheTTL <= 0 {
		return r.Resolver.LookupNetIP(ctx, "ip", host)
	}
	if a, ok := r.cache.get(host, r.now()); ok {
		return a.addresses, a.err
	}
	addresses, err := r.Resolver.LookupNetIP(ctx, "ip", host)
	var missing *net.DNSError
	switch {
	case err == nil:
		r.cache.put(host, answer{addresses: addresses, until: r.now().Add(r.CacheTTL)}, r.now())
	case errors.As(err, &missing) && missing.IsNotFound:
		r.cache.put(host, answer{err: err, until: r.now().Add(min(missingTTL, r.CacheTTL))}, r.now())
	}
	return addresses, err
}

func (r *Dialer) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (m *cache) get(host string, now time.Time) (answer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.answers[host]
	return a, ok && now.Before(a.until)
}

// put makes room by removing expired answers, and then any: the only consequence is
// another look-up.
func (m *cache) put(host string, a answer, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil {
		m.answers = map[string]answer{}
	}
	if len(m.answers) >= maxCached {
		for old, b := range m.answers {
			if !now.Before(b.until) {
				delete(m.answers, old)
			}
		}
	}
	for old := range m.answers {
		if len(m.answers) < maxCached {
			break
		}
		delete(m.answers, old)
	}
	m.answers[host] = a
}

// CacheLen returns the number of cached answers.
func (r *Dialer) CacheLen() int {
	r.cache.mu.Lock()
	defer r.cache.mu.Unlock()
	return len(r.cache.answers)
}

// remove makes the next connection resolve the name again.
func (m *cache) remove(host string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.answers, host)
}
