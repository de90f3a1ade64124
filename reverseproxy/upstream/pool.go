package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"chatiere/reverseproxy/upstream/sockets"
)

// pool holds the places at one socket and the idle connections to it. The most recently used connection is used first,
// so that the others expire.
type pool struct {
	socket  string
	mu      sync.Mutex
	idle    []*conn
	removed bool // not in Transport.pools any more: it admits nothing and keeps nothing

	max, share int // places, of all and of one client
	places     []*place
	clients    map[string]int // number of places by client
	waiting    []*place
}

func (t *Transport) pool(socket string) *pool {
	t.mu.RLock()
	p := t.pools[socket]
	t.mu.RUnlock()
	if p != nil {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p = t.pools[socket]; p == nil {
		p = &pool{socket: socket, clients: make(map[string]int)}
		t.pools[socket] = p
	}
	return p
}

// get returns an idle connection, or nil.
func (p *pool) get() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle[len(p.idle)-1] = nil
	p.idle = p.idle[:len(p.idle)-1]
	return c
}

// put keeps c for the next request, or closes it if there are enough.
func (p *pool) put(c *conn, most int) {
	c.reused, c.idleSince = true, time.Now()
	p.mu.Lock()
	if len(p.idle) < most {
		p.idle = append(p.idle, c)
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		_ = c.Close() // nothing was in flight on it
	}
}

// removeIdle removes and returns the connections that have been idle since before limit. A pool that is then unused
// becomes removed.
func (p *pool) removeIdle(limit time.Time) (expired []*conn, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.idle) && p.idle[n].idleSince.Before(limit) {
		n++
	}
	expired = append(expired, p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	clear(p.idle[len(p.idle):cap(p.idle)])
	p.removed = len(p.idle)+len(p.places)+len(p.waiting) == 0
	return expired, p.removed
}

// CloseIdleConns closes connections that have been idle for too long, until ctx ends, and then all idle ones.
func (t *Transport) CloseIdleConns(ctx context.Context) {
	tick := time.NewTicker(max(t.opts.IdleTimeout/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			t.closeIdle(time.Now().Add(time.Hour))
			return
		case now := <-tick.C:
			t.closeIdle(now.Add(-t.opts.IdleTimeout))
		}
	}
}

func (t *Transport) closeIdle(limit time.Time) {
	t.mu.Lock()
	var expired []*conn
	for socket, p := range t.pools {
		old, gone := p.removeIdle(limit)
		expired = append(expired, old...)
		if gone {
			delete(t.pools, socket)
		}
	}
	t.mu.Unlock()
	for _, c := range expired {
		_ = c.Close() // nothing was in flight on it
	}
}

// trustAge is how long after its last use a connection is assumed to be open without a check.
const trustAge = time.Second

// connect returns a connection to the pool's socket: an idle one if there is one and fresh is false.
func (t *Transport) connect(ctx context.Context, p *pool, fresh, repeatable bool) (*conn, error) {
	for !fresh {
		c := p.get()
		if c == nil {
			break
		}
		idle := time.Since(c.idleSince)
		if idle < t.opts.IdleTimeout && (idle < trustAge && repeatable || c.reusable()) {
			return c, nil
		}
		_ = c.Close() // nothing was in flight on it
	}
	nc, err := t.dial(ctx, p.socket)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return newConn(nc), nil
}

// dial waits while the application's backlog is full, which a unix socket reports at once instead of
// letting the caller wait, as TCP would.
func (t *Transport) dial(ctx context.Context, socket string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.opts.DialTimeout)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		nc, err := sockets.Dial(ctx, socket) // the directory is the site's: a link there must lead nowhere
		if err == nil || !errors.Is(err, syscall.EAGAIN) {
			return nc, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(err, ctx.Err())
		}
	}
}
