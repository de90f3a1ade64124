package auth

import (
	"net/netip"
	"sync"
	"time"
)

// Throttle bounds tries per address: burst at once, then one more per interval.
type Throttle struct {
	burst    int
	interval time.Duration
	now      func() time.Time

	mu    sync.Mutex
	empty map[string]time.Time // when the address's bucket is full again
}

// maxAddresses bounds the memory a flood from many addresses can take; beyond it the oldest knowledge goes.
const maxAddresses = 20_000

// NewThrottle returns one.
func NewThrottle(burst int, interval time.Duration, now func() time.Time) *Throttle {
	return &Throttle{burst: burst, interval: interval, now: now, empty: map[string]time.Time{}}
}

// Allow counts a try and reports whether it may go on.
func (t *Throttle) Allow(address string) bool {
	key := network(address)
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	full := t.empty[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(t.interval)
	if full.Sub(now) > time.Duration(t.burst)*t.interval {
		return false
	}
	t.empty[key] = full
	return true
}

func (t *Throttle) forget(now time.Time) {
	if len(t.empty) < maxAddresses {
		return
	}
	for key, full := range t.empty {
		if full.Before(now) {
			delete(t.empty, key)
		}
	}
	for key := range t.empty {
		if len(t.empty) < maxAddresses {
			return
		}
		delete(t.empty, key)
	}
}

// network is what one person can change within: a /64 of IPv6, one address of IPv4.
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
