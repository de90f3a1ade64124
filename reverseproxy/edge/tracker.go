package edge

import (
	"context"
	"net"
	"sync"
)

// tracker knows every open connection, those taken over by a websocket included, so that draining can
// wait for them and, in the end, close them.
type tracker struct {
	mu    sync.Mutex
	conns map[*rawConn]struct{}
	empty chan struct{} // closed when the last connection goes after someone began to wait
}

func newTracker() *tracker { return &tracker{conns: make(map[*rawConn]struct{})} }

func (t *tracker) add(c *rawConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[c] = struct{}{}
}

func (t *tracker) remove(c *rawConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
	if len(t.conns) == 0 && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

// wait returns when no connection is open, or when ctx ends.
func (t *tracker) wait(ctx context.Context) error {
	t.mu.Lock()
	if len(t.conns) == 0 {
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
	left := make([]net.Conn, 0, len(t.conns))
	for c := range t.conns {
		left = append(left, c)
	}
	t.mu.Unlock()
	for _, c := range left {
		_ = c.Close() // nobody is left to tell
	}
	return len(left)
}
