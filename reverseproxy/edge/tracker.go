package edge

import (
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
	empty   chan struct{} // closed when the last connection goes after someone began to wait
}

// limits are numbers of connections.
type limits struct{ all, client int }

func newTracker(l limits, stall time.Duration) *tracker {
	return &tracker{limits: l, stall: stall, clients: make(map[clientKey]*client)}
}

// admit takes a connection in, or says that it must be closed at once. If there is no room, the one that
// has been without a request for longest has to go, or else the one that has been without progress for longest.
func (t *tracker) admit(c *rawConn, key clientKey) bool {
	t.mu.Lock()
	who := t.clients[key]
	if who != nil && len(who.conns) >= key.share(t.limits.client) {
		t.mu.Unlock()
		t.counts.client.Add(1)
		return false
	}
	var victim *rawConn
	if t.open >= t.limits.all {
		if victim = t.victim(); victim == nil {
			t.mu.Unlock()
			t.counts.full.Add(1)
			return false
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
	return true
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

// crowdStall takes the place of the stall for a client that holds more than half of its share, while there is no room
// for another.
const crowdStall = 100 * time.Millisecond

// victim returns the connection that can go: one without a request, or else one on which nothing has come or gone
// for long, whatever it is busy with; not for long is enough for a client that has very many. It is nil if there
// seems to be none.
func (t *tracker) victim() *rawConn {
	if c := t.longest(func(c *rawConn) int64 { return c.rest.Load() }); c != nil {
		return c
	}
	now := time.Now()
	stalled, crowded := now.Add(-t.stall).UnixNano(), now.Add(-crowdStall).UnixNano()
	return t.longest(func(c *rawConn) int64 {
		since, limit := c.progress.Load(), stalled
		if len(c.client.conns) > c.client.key.share(t.limits.client)/2 {
			limit = crowded
		}
		if since < limit {
			return since
		}
		return 0
	})
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
