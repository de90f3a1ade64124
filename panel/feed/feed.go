// Package feed brings the progress of operations to browsers and programs as it happens: it polls each observed operation once
// for all of its subscribers and writes event streams. It knows neither requests nor pages: who may see an operation is
// asked through Stream.Recheck.
//
// Start reading at Feed.
package feed

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants/operations"
	"chatiere/tenants/recovery"
)

// Operations reads operations.
type Operations interface {
	Operation(ctx context.Context, id string) (operations.Operation, error)
}

// Feed polls the operations that have subscribers, each once for all of them.
type Feed struct {
	ctx      context.Context // the server's
	read     Operations
	interval time.Duration
	log      *slog.Logger

	mu      sync.Mutex
	topics  map[string]*topic
	pollers sync.WaitGroup
}

// topic is one operation and its subscribers.
type topic struct {
	latest   *operations.Operation
	channels map[chan operations.Operation]struct{}
}

// New returns a feed that ends with ctx.
func New(ctx context.Context, read Operations, every time.Duration, log *slog.Logger) *Feed {
	return &Feed{ctx: ctx, read: read, interval: every, log: log, topics: map[string]*topic{}}
}

// Subscribe returns a channel of the operation's changes, the latest only; it is closed when the operation is over or
// the server ends. leave must be called.
func (f *Feed) Subscribe(id string) (changes <-chan operations.Operation, leave func()) {
	ch := make(chan operations.Operation, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		close(ch)
		return ch, func() {}
	}
	t, ok := f.topics[id]
	if !ok {
		t = &topic{channels: map[chan operations.Operation]struct{}{}}
		f.topics[id] = t
		f.pollers.Go(func() {
			defer f.abandon(id, t)
			defer recovery.Log(f.log, "watching operation "+id)
			f.poll(id, t)
		})
	}
	t.channels[ch] = struct{}{}
	if t.latest != nil {
		ch <- *t.latest
	}
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(t.channels, ch)
	}
}

// poll runs while the topic has subscribers.
func (f *Feed) poll(id string, t *topic) {
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	last := ""
	for {
		op, err := f.read.Operation(f.ctx, id)
		switch {
		case err != nil:
			f.log.Warn("watched operation not read", "operation", id, "error", err)
		case fingerprint(op) != last:
			last = fingerprint(op)
			f.publish(t, op)
		}
		if f.finish(id, t, err == nil && Over(op)) {
			return
		}
		select {
		case <-f.ctx.Done():
		case <-tick.C:
		}
	}
}

func fingerprint(op operations.Operation) string {
	op.Lease = operations.Lease{} // renewing it changes nothing people see
	b, _ := json.Marshal(op)      // rows are plain values
	return string(b)
}

// publish sends the operation to all subscribers and replaces what a slow one has not read yet.
func (f *Feed) publish(t *topic, op operations.Operation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.latest = &op
	for ch := range t.channels {
		select {
		case <-ch:
		default:
		}
		ch <- op
	}
}

func (f *Feed) finish(id string, t *topic, over bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !over && len(t.channels) > 0 && f.ctx.Err() == nil {
		return false
	}
	f.close(id, t)
	return true
}

// abandon closes the topic when polling has ended for any reason.
func (f *Feed) abandon(id string, t *topic) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.topics[id] == t {
		f.close(id, t)
	}
}

// close ends a topic; f.mu is held.
func (f *Feed) close(id string, t *topic) {
	for ch := range t.channels {
		close(ch)
		delete(t.channels, ch)
	}
	delete(f.topics, id)
}

// Until waits until the operation or the timeout is over and returns the operation as last read.
func (f *Feed) Until(ctx context.Context, op operations.Operation, timeout time.Duration) operations.Operation {
	changes, leave := f.Subscribe(op.ID)
	defer leave()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		select {
		case next, open := <-changes:
			if !open {
				return op
			}
			op = next
		case <-timer.C:
			return op
		case <-ctx.Done():
			return op
		}
	}
}

// Wait returns when all polling has ended; call it once the server's context is done.
func (f *Feed) Wait() { f.pollers.Wait() }

// Over reports whether an operation moves no further by itself.
func Over(op operations.Operation) bool { return op.State.Ended() || op.State == operations.Stuck }
