package panel

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"chatiere/tenants/operations"
	"chatiere/tenants/recovery"
)

// operationFeed polls the operations that have subscribers, each once for all of them.
type operationFeed struct {
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

func newOperationFeed(ctx context.Context, read Operations, every time.Duration, log *slog.Logger) *operationFeed {
	return &operationFeed{ctx: ctx, read: read, interval: every, log: log, topics: map[string]*topic{}}
}

// subscribe returns a channel of the operation's changes, the latest only; it is closed when the operation is over or
// the server ends. leave must be called.
func (w *operationFeed) subscribe(id string) (changes <-chan operations.Operation, leave func()) {
	ch := make(chan operations.Operation, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		close(ch)
		return ch, func() {}
	}
	t, ok := w.topics[id]
	if !ok {
		t = &topic{channels: map[chan operations.Operation]struct{}{}}
		w.topics[id] = t
		w.pollers.Go(func() {
			defer w.abandon(id, t)
			defer recovery.Log(w.log, "watching operation "+id)
			w.poll(id, t)
		})
	}
	t.channels[ch] = struct{}{}
	if t.latest != nil {
		ch <- *t.latest
	}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(t.channels, ch)
	}
}

// poll runs while the topic has subscribers.
func (w *operationFeed) poll(id string, t *topic) {
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	last := ""
	for {
		op, err := w.read.Operation(w.ctx, id)
		switch {
		case err != nil:
			w.log.Warn("watched operation not read", "operation", id, "error", err)
		case fingerprint(op) != last:
			last = fingerprint(op)
			w.publish(t, op)
		}
		if w.finish(id, t, err == nil && over(op)) {
			return
		}
		select {
		case <-w.ctx.Done():
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
func (w *operationFeed) publish(t *topic, op operations.Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.latest = &op
	for ch := range t.channels {
		select {
		case <-ch:
		default:
		}
		ch <- op
	}
}

func (w *operationFeed) finish(id string, t *topic, over bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !over && len(t.channels) > 0 && w.ctx.Err() == nil {
		return false
	}
	w.close(id, t)
	return true
}

// abandon closes the topic when polling has ended for any reason.
func (w *operationFeed) abandon(id string, t *topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics[id] == t {
		w.close(id, t)
	}
}

// close ends a topic; w.mu is held.
func (w *operationFeed) close(id string, t *topic) {
	for ch := range t.channels {
		close(ch)
		delete(t.channels, ch)
	}
	delete(w.topics, id)
}

// until waits until the operation or the timeout is over and returns the operation as last read.
func (w *operationFeed) until(ctx context.Context, op operations.Operation, timeout time.Duration) operations.Operation {
	changes, leave := w.subscribe(op.ID)
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

// wait returns when all polling has ended; call it once the server's context is done.
func (w *operationFeed) wait() { w.pollers.Wait() }
