package auth

import (
	"net/netip"
	"sync"
	"time"
)

// AddressLimiter limits attempts per address in memory: burst at once, then one more per interval. It is not made of
// rate.Limiter, which takes three times the memory of an instant per address and cannot tell which ones are full again
// and can be forgotten.
type AddressLimiter struct {
	burst    int
	interval time.Duration
	now      func() time.Time

	mu     sync.Mutex
	fullAt map[string]time.Time // when the address's bucket is full again
}

// maxAddresses bounds the memory a flood from many addresses can take; beyond it the oldest knowledge goes.
const maxAddresses = 20_000

// NewAddressLimiter returns a limiter.
func NewAddressLimiter(burst int, interval time.Duration, now func() time.Time) *AddressLimiter {
	return &AddressLimiter{burst: burst, interval: interval, now: now, fullAt: map[string]time.Time{}}
}

// Allow counts an attempt and reports whether it is within the limit.
func (t *AddressLimiter) Allow(address string) bool {
	key := network(address)
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.evict(now)
	full := t.fullAt[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(t.interval)
	if full.Sub(now) > time.Duration(t.burst)*t.interval {
		return false
	}
	t.fullAt[key] = full
	return true
}

func (t *AddressLimiter) evict(now time.Time) {
	if len(t.fullAt) < maxAddresses {
		return
	}
	for key, full := range t.fullAt {
		if full.Before(now) {
			delete(t.fullAt, key)
		}
	}
	for key := range t.fullAt {
		if len(t.fullAt) < maxAddresses {
			return
		}
		delete(t.fullAt, key)
	}
}

// network returns the range within which one person can change addresses: a /64 of IPv6, one address of IPv4.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}
