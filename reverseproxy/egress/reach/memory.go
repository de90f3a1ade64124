package reach

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxKept bounds the memory of answers: about half a MiB at worst.
	maxKept = 1024
	// keepMissing is how long "no such host" is kept: a page that asks for a
	// mistyped name does so in a loop.
	keepMissing = 3 * time.Second
)

// memory keeps answers for a short while, so that a page that opens many
// connections asks once. It forgets sooner than any sensible TTL, since the
// system's resolver does not tell the TTL.
type memory struct {
	mu   sync.Mutex
	kept map[string]answer
}

type answer struct {
	addresses []netip.Addr
	err       error
	until     time.Time
}

// lookup asks the memory, then the resolver.
func (r *Reacher) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if r.Keep <= 0 {
		return r.Resolver.LookupNetIP(ctx, "ip", host)
	}
	if a, ok := r.memory.find(host, r.now()); ok {
		return a.addresses, a.err
	}
	addresses, err := r.Resolver.LookupNetIP(ctx, "ip", host)
	var missing *net.DNSError
	switch {
	case err == nil:
		r.memory.keep(host, answer{addresses: addresses, until: r.now().Add(r.Keep)}, r.now())
	case errors.As(err, &missing) && missing.IsNotFound:
		r.memory.keep(host, answer{err: err, until: r.now().Add(min(keepMissing, r.Keep))}, r.now())
	}
	return addresses, err
}

func (r *Reacher) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (m *memory) find(host string, now time.Time) (answer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.kept[host]
	return a, ok && now.Before(a.until)
}

// keep makes room by forgetting what is over, and else anything: asking again
// is the worst that follows.
func (m *memory) keep(host string, a answer, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string]answer{}
	}
	if len(m.kept) >= maxKept {
		for old, b := range m.kept {
			if !now.Before(b.until) {
				delete(m.kept, old)
			}
		}
	}
	for old := range m.kept {
		if len(m.kept) < maxKept {
			break
		}
		delete(m.kept, old)
	}
	m.kept[host] = a
}

// Kept counts the answers in memory.
func (r *Reacher) Kept() int {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return len(r.memory.kept)
}

// forget makes the next connection ask anew.
func (m *memory) forget(host string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, host)
}
