package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// One client holds at most a sixteenth of an upstream's places, but always at least a few: a page needs several requests.
const (
	shareOf  = 16
	minShare = 4
)

// evictAfter is how long a request may hold a place before it can be evicted, and how often waiting requests try to
// evict one.
const evictAfter = time.Second

// The states of a place. Only a request that waits for its client can be evicted: a slow application is not the client's
// fault.
const (
	awaitingApp int32 = iota
	receiving
	sending
)

// place is one request's place at an upstream.
type place struct {
	client      string
	control     *http.ResponseController
	since       time.Time
	index       int          // in the pool
	state       atomic.Int32 // whom the request waits for
	transferred atomic.Int64 // bytes from and to the client
	evicted     atomic.Bool
	ready       chan struct{} // closed when it is admitted after waiting
}

// progress returns the bytes transferred per second.
func (pl *place) progress(now time.Time) float64 {
	return float64(pl.transferred.Load()) / now.Sub(pl.since).Seconds()
}

// errPoolRemoved means that a pool was removed between the lookup and acquire.
var errPoolRemoved = errors.New("pool is gone")

// acquire waits until pl is admitted.
func (p *pool) acquire(ctx context.Context, pl *place, places int, timeout time.Duration) error {
	p.mu.Lock()
	p.max, p.share = places, max(places/shareOf, minShare)
	switch {
	case p.removed:
		p.mu.Unlock()
		return errPoolRemoved
	case p.free(pl.client):
		p.admit(pl)
		p.mu.Unlock()
		return nil
	}
	pl.ready = make(chan struct{})
	p.waiting = append(p.waiting, pl)
	p.makeRoom(pl.client)
	p.mu.Unlock()
	if err := p.wait(ctx, pl, timeout); err != nil {
		p.abandon(pl)
		return err
	}
	return nil
}

func (p *pool) wait(ctx context.Context, pl *place, timeout time.Duration) error {
	end := time.Now().Add(timeout)
	tick := time.NewTimer(evictAfter)
	defer tick.Stop()
	for {
		select {
		case <-pl.ready:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrClient, ctx.Err())
		case now := <-tick.C:
			if now.After(end) {
				return ErrBusy
			}
			tick.Reset(min(evictAfter, end.Sub(now)+time.Millisecond))
			p.mu.Lock()
			p.makeRoom(pl.client)
			p.mu.Unlock()
		}
	}
}

// abandon removes pl, whether it still waits or was admitted meanwhile.
func (p *pool) abandon(pl *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, pl); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return
	}
	p.remove(pl)
	p.next()
}

// free reports whether client may have one more place. The empty client has no share of its own.
func (p *pool) free(client string) bool {
	return len(p.places) < p.max && (client == "" || p.clients[client] < p.share)
}

func (p *pool) admit(pl *place) {
	pl.since, pl.index = time.Now(), len(p.places)
	p.places = append(p.places, pl)
	p.clients[pl.client]++
}

func (p *pool) release(pl *place) {
	p.mu.Lock()
	p.remove(pl)
	if len(p.waiting) > 0 {
		p.next()
	}
	p.mu.Unlock()
}

func (p *pool) remove(pl *place) {
	last := len(p.places) - 1
	p.places[pl.index] = p.places[last]
	p.places[pl.index].index = pl.index
	p.places[last] = nil
	p.places = p.places[:last]
	if n := p.clients[pl.client]; n > 1 {
		p.clients[pl.client] = n - 1
	} else {
		delete(p.clients, pl.client)
	}
}

// next admits the waiting request whose client holds the fewest places, the first of those.
func (p *pool) next() {
	best := -1
	for i, pl := range p.waiting {
		if p.free(pl.client) && (best < 0 || p.clients[pl.client] < p.clients[p.waiting[best].client]) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	pl := p.waiting[best]
	p.waiting = slices.Delete(p.waiting, best, best+1)
	p.admit(pl)
	close(pl.ready)
}

// makeRoom evicts the request with the least progress when all places are taken, among those that wait for their client
// and whose client holds more places than the given one.
func (p *pool) makeRoom(client string) {
	if len(p.places) < p.max {
		return // the request waits for its own client's share
	}
	now, leaving := time.Now(), 0
	var victim *place
	for _, pl := range p.places {
		switch {
		case pl.evicted.Load():
			leaving++
		case pl.state.Load() == awaitingApp || now.Sub(pl.since) < evictAfter || p.clients[pl.client] <= p.clients[client]:
		case victim == nil || pl.progress(now) < victim.progress(now):
			victim = pl
		}
	}
	if victim != nil && leaving < len(p.waiting) {
		victim.evict()
	}
}

// evict interrupts the request's wait for its client. The pool is locked, so the request has not ended yet.
func (pl *place) evict() {
	pl.evicted.Store(true)
	// Where deadlines are not supported, the server's own limits must do.
	if pl.state.Load() == sending {
		_ = pl.control.SetWriteDeadline(time.Unix(1, 0))
		return
	}
	_ = pl.control.SetReadDeadline(time.Unix(1, 0))
}
