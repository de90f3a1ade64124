package upstream

import (
	"context"
	"time"
)

// Sweep closes all idle connections, as CloseIdleConns does at the end.
func (t *Transport) Sweep() { t.closeIdle(time.Now().Add(time.Hour)) }

// Waiting returns how many requests wait for a place at a socket.
func (t *Transport) Waiting(socket string) int {
	p := t.pool(socket)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// Entered looks a pool up, lets the sweep go by, and reports whether a request could still enter it, and whether a
// connection could be left there.
func (t *Transport) Entered(socket string) bool {
	p := t.pool(socket)
	t.Sweep()
	return p.acquire(context.Background(), &place{}, 1, time.Second) == nil
}
