package auth

import "sync"

// Bell tells those who watch for somebody, such as open streams, that a session or a token has just ended and that they
// must look again.
type Bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// Rings returns a channel that is closed at the next ring.
func (b *Bell) Rings() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// Ring wakes everybody who watches.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
