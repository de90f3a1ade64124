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

// One client holds at most a sixteenth of an upstream's places, but may always have a few: a page has several parts.
const (
	shareOf  = 16
	minShare = 4
)

// evictAfter is how long a request may hold a place before it can be told to make room, and how often those who
// wait look for one that can.
const evictAfter = time.Second

// The states of a place. Only who waits for its client can be evicted: what the application takes time for is
// not the client's fault.
const (
	thinking int32 = iota
	receiving
	sending
)

// place is one request's place at an upstream.
type place struct {
	client  string
	control *http.ResponseController
	since   time.Time
	index   int          // in the pool
	state   atomic.Int32 // what it waits for
	moved   atomic.Int64 // bytes that came from or went to the client
	evicted atomic.Bool
	ready   chan struct{} // closed when it is admitted after waiting
}

// progress is how many bytes passed per second.
func (pl *place) progress(now time.Time) float64 {
	return float64(pl.moved.Load()) / now.Sub(pl.since).Seconds()
}

// errGone is a pool that was swept away between being looked up and being entered.
var errGone = errors.New("pool is gone")

// enter returns once pl has a place, or says why it gets none.
func (p *pool) enter(ctx context.Context, pl *place, places int, patience time.Duration) error {
	p.mu.Lock()
	p.max, p.share = places, max(places/shareOf, minShare)
	switch {
	case p.gone:
		p.mu.Unlock()
		return errGone
	case p.free(pl.client):
		p.admit(pl)
		p.mu.Unlock()
		return nil
	}
	pl.ready = make(chan struct{})
	p.waiting = append(p.waiting, pl)
	p.makeRoom(pl.client)
	p.mu.Unlock()
	if err := p.wait(ctx, pl, patience); err != nil {
		p.giveUp(pl)
		return err
	}
	return nil
}

func (p *pool) wait(ctx context.Context, pl *place, patience time.Duration) error {
	end := time.Now().Add(patience)
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

// giveUp takes pl out, wherever it has got to.
func (p *pool) giveUp(pl *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, pl); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return
	}
	p.remove(pl)
	p.next()
}

// free reports whether client may have one more place. Who has no name shares with nobody.
func (p *pool) free(client string) bool {
	return len(p.places) < p.max && (client == "" || p.clients[client] < p.share)
}

func (p *pool) admit(pl *place) {
	pl.since, pl.index = time.Now(), len(p.places)
	p.places = append(p.places, pl)
	p.clients[pl.client]++
}

func (p *pool) leave(pl *place) {
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

// next admits whoever waits and may: the one whose client holds least, and of those the first.
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

// makeRoom evicts the request with the least progress when all places are taken: of those that wait for their
// client, and whose client holds more than the one that asks.
func (p *pool) makeRoom(client string) {
	if len(p.places) < p.max {
		return // it waits for its own client's share
	}
	now, leaving := time.Now(), 0
	var victim *place
	for _, pl := range p.places {
		switch {
		case pl.evicted.Load():
			leaving++
		case pl.state.Load() == thinking || now.Sub(pl.since) < evictAfter || p.clients[pl.client] <= p.clients[client]:
		case victim == nil || pl.progress(now) < victim.progress(now):
			victim = pl
		}
	}
	if victim != nil && leaving < len(p.waiting) {
		victim.evict()
	}
}

// evict ends what the request waits for. The pool is locked, so the request has not ended yet.
func (pl *place) evict() {
	pl.evicted.Store(true)
	// Where deadlines are not supported, the server's own limits must do.
	if pl.state.Load() == sending {
		_ = pl.control.SetWriteDeadline(time.Unix(1, 0))
		return
	}
	_ = pl.control.SetReadDeadline(time.Unix(1, 0))
}
