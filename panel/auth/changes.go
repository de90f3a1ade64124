package auth

import "sync"

// Changes notifies open streams and the like that a session or a token has just ended, so that they check theirs again.
type Changes struct {
	mu      sync.Mutex
	changed chan struct{}
}

// Wait returns a channel that is closed at the next Notify.
func (b *Changes) Wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// Notify wakes everybody who waits.
func (b *Changes) Notify() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}
