package edge

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// tracker knows every open connection, those taken over by a websocket included, by whose it is: so that
// nobody has too many, so that there is room for the next, and so that draining can wait for them and, in
// the end, close them.
type tracker struct {
	limits  limits
	counts  counters
	stall   time.Duration // without progress, after which a connection may have to make room
	mu      sync.Mutex
	open    int
	long    int // connections in the midst of a long header
	clients map[clientKey]*client
	waiting map[clientKey]bool // who has a connection that waits for room
	empty   chan struct{}      // closed when the last connection goes after someone began to wait
}

// limits are numbers of connections.
type limits struct{ all, client int }

func newTracker(l limits, stall time.Duration) *tracker {
	return &tracker{limits: l, stall: stall, clients: make(map[clientKey]*client), waiting: make(map[clientKey]bool)}
}

// How long a connection waits for room, and how often it looks. It is longer than crowdStall: a flood that has just
// come must make room for it.
const (
	roomWait = 300 * time.Millisecond
	roomPoll = 25 * time.Millisecond
)

// admitSoon takes a connection in, or says that it must be closed at once. Where there is no room it waits for some.
func (t *tracker) admitSoon(ctx context.Context, c *rawConn, key clientKey) bool {
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

// queue lets one connection of a client wait, and of all clients a quarter of as many as there may be.
func (t *tracker) queue(key clientKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting[key] || len(t.waiting) >= max(1, t.limits.all/4) {
		return false
	}
	t.waiting[key] = true
	return true
}

// verdict is what becomes of a new connection.
type verdict int

const (
	admitted verdict = iota
	overShare
	noRoom
)

// admit takes a connection in if it may. If there is no room, the one that has been without a request for longest has to
// go, or else the one that has been without progress for longest.
func (t *tracker) admit(c *rawConn, key clientKey) verdict {
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
		who = t.clients[key] // it may have been the client's last
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

// makeRoom closes a connection that can go, if there is one.
func (t *tracker) makeRoom() {
	t.mu.Lock()
	victim := t.victim()
	t.mu.Unlock()
	t.evict(victim)
}

func (t *tracker) evict(victim *rawConn) {
	if victim != nil {
		t.counts.evicted.Add(1)
		_ = victim.Close() // it had no request in flight, or one that went nowhere
	}
}

// sampled is how many connections are looked at to find one that can go.
const sampled = 256

// Ages after which a connection can go while there is no room for another: crowdStall is that of one without progress
// whose client holds more than half of its share, youth that of one without a request, which may still be shaking hands.
const (
	crowdStall = 100 * time.Millisecond
	youth      = 200 * time.Millisecond
)

// victim returns the connection that can go, nil if there seems to be none: one of a client that has very many, if it
// is without a request or gets nowhere; else one of anybody's without a request; else one on which nothing has come
// or gone for long, whatever it is busy with.
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
			return cmp.Or(c.rest.Load(), before(c.progress.Load(), crowdStall))
		},
		func(c *rawConn) int64 { return before(c.rest.Load(), youth) },
		func(c *rawConn) int64 { return before(c.progress.Load(), t.stall) },
	} {
		if c := t.longest(since); c != nil {
			return c
		}
	}
	return nil
}

// longest returns the connection for which since is the earliest, of the client that has the most of them, among
// some that a map happens to begin with. A zero is of one that stays.
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
			if looked >= sampled {
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

// closeAll closes what is left, without the politeness of TLS, and says how many there were.
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
		_ = c.Close() // nobody is left to tell
	}
	return len(left)
}
