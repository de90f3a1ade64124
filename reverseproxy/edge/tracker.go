package edge

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// tracker keeps every open connection by client, including those taken over by a websocket. It enforces the limits,
// makes room for new connections, and lets draining wait for the open ones and finally close them.
type tracker struct {
	limits      limits
	counts      counters
	stall       time.Duration // time without progress after which a connection can be evicted
	mu          sync.Mutex
	open        int
	longHeaders int // connections that are reading a long header
	clients     map[clientKey]*client
	waiting     map[clientKey]bool // clients with a connection that waits for room
	empty       chan struct{}      // closed when the last connection closes; nil unless wait was called
}

// limits are numbers of connections.
type limits struct{ all, client int }

func newTracker(l limits, stall time.Duration) *tracker {
	return &tracker{limits: l, stall: stall, clients: make(map[clientKey]*client), waiting: make(map[clientKey]bool)}
}

// How long a connection waits for room, and how often it checks. It is longer than crowdedStall, so that connections of
// a flood that has just begun can be evicted for it.
const (
	roomWait = 300 * time.Millisecond
	roomPoll = 25 * time.Millisecond
)

// admitOrWait reports whether a connection is admitted. If there is no room it waits for a while.
func (t *tracker) admitOrWait(ctx context.Context, c *rawConn, key clientKey) bool {
	verdict := t.admit(c, key)
	if verdict == noRoom && t.queue(key) {
		for end := time.Now().Add(roomWait); verdict == noRoom && time.Now().Before(end) && sleep(ctx, roomPoll); {
			verdict = t.admit(c, key)
		}
		t.mu.Lock()
		delete(t.waiting, key)
		t.mu.Unlock()
	}
	switch verdict {
	case overShare:
		t.counts.client.Add(1)
	case noRoom:
		t.counts.full.Add(1)
	}
	return verdict == admitted
}

// queue reports whether a connection may wait: one for each client, and together at most a quarter of all connections.
func (t *tracker) queue(key clientKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting[key] || len(t.waiting) >= max(1, t.limits.all/4) {
		return false
	}
	t.waiting[key] = true
	return true
}

// admission is the decision about a new connection.
type admission int

const (
	admitted admission = iota
	overShare
	noRoom
)

// admit adds a connection if the limits allow it. If there is no room, it evicts the one that has been idle for longest,
// or else the one that has made no progress for longest.
func (t *tracker) admit(c *rawConn, key clientKey) admission {
	t.mu.Lock()
	who := t.clients[key]
	if who != nil && len(who.conns) >= key.share(t.limits.client) {
		t.mu.Unlock()
		return overShare
	}
	var victim *rawConn
	if t.open >= t.limits.all {
		if victim = t.victim(); victim == nil {
			t.mu.Unlock()
			return noRoom
		}
		t.drop(victim)
		who = t.clients[key] // the victim may have been the client's last connection
	}
	if who == nil {
		who = &client{key: key, name: fmt.Sprint(key), conns: make(map[*rawConn]struct{})}
		t.clients[key] = who
	}
	who.conns[c] = struct{}{}
	c.client = who
	t.open++
	t.mu.Unlock()
	t.evict(victim)
	return admitted
}

// makeRoom evicts a connection if one can be evicted.
func (t *tracker) makeRoom() {
	t.mu.Lock()
	victim := t.victim()
	t.mu.Unlock()
	t.evict(victim)
}

func (t *tracker) evict(victim *rawConn) {
	if victim != nil {
		t.counts.evicted.Add(1)
		_ = victim.Close() // it had no request in flight, or one without progress
	}
}

// sampleSize is how many connections are examined to find a victim.
const sampleSize = 256

// When a connection can be evicted: crowdedStall after its last progress if its client holds more than half of its share;
// minIdleAge after its last request, since a new connection may still be in its handshake.
const (
	crowdedStall = 100 * time.Millisecond
	minIdleAge   = 200 * time.Millisecond
)

// victim returns the connection to evict, nil if none is found: first one of a client that has very many, if it is idle
// or makes no progress; then an idle one of any client; then one without progress, whatever it is doing.
func (t *tracker) victim() *rawConn {
	now := time.Now()
	before := func(since int64, age time.Duration) int64 {
		if since < now.Add(-age).UnixNano() {
			return since
		}
		return 0
	}
	for _, since := range []func(*rawConn) int64{
		func(c *rawConn) int64 {
			if len(c.client.conns) <= c.client.key.share(t.limits.client)/2 {
				return 0
			}
			return cmp.Or(c.idleSince.Load(), before(c.lastProgress.Load(), crowdedStall))
		},
		func(c *rawConn) int64 { return before(c.idleSince.Load(), minIdleAge) },
		func(c *rawConn) int64 { return before(c.lastProgress.Load(), t.stall) },
	} {
		if c := t.longest(since); c != nil {
			return c
		}
	}
	return nil
}

// longest returns the connection with the earliest since, of the client that has the most connections, in a random
// sample. A zero means that the connection must stay.
func (t *tracker) longest(since func(*rawConn) int64) *rawConn {
	var best *rawConn
	var earliest int64
	looked := 0
	for _, who := range t.clients {
		looked++
		if best != nil && len(who.conns) < len(best.client.conns) {
			continue
		}
		for c := range who.conns {
			looked++
			when := since(c)
			if when > 0 && (best == nil || len(who.conns) > len(best.client.conns) || when < earliest) {
				best, earliest = c, when
			}
			if looked >= sampleSize {
				return best
			}
		}
	}
	return best
}

func (t *tracker) remove(c *rawConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(c)
	if t.open == 0 && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

func (t *tracker) drop(c *rawConn) {
	who := c.client
	if who == nil {
		return
	}
	if _, in := who.conns[c]; !in {
		return
	}
	delete(who.conns, c)
	t.dropLong(c)
	t.open--
	if len(who.conns) == 0 {
		delete(t.clients, who.key)
	}
}

// wait returns when no connection is open, or when ctx ends.
func (t *tracker) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.open == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.empty == nil {
		t.empty = make(chan struct{})
	}
	empty := t.empty
	t.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeAll closes all connections without a TLS close notification and returns how many there were.
func (t *tracker) closeAll() int {
	t.mu.Lock()
	left := make([]net.Conn, 0, t.open)
	for _, who := range t.clients {
		for c := range who.conns {
			left = append(left, c)
		}
	}
	t.mu.Unlock()
	for _, c := range left {
		_ = c.Close() // nobody is left to handle the error
	}
	return len(left)
}
