package upstream

import (
	"context"
	"time"
)

// Sweep closes all idle connections, as CloseIdleConns does at the end.
func (t *Transport) Sweep() { t.closeIdle(time.Now().Add(time.Hour)) }

// Entered looks a pool up, lets the sweep go by, and reports whether a request could still enter it, and whether a
// connection could be left there.
func (t *Transport) Entered(socket string) bool {
	p := t.pool(socket)
	t.Sweep()
	return p.acquire(context.Background(), &place{}, 1, time.Second) == nil
}
