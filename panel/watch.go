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

// watch reads operations that somebody looks at, each once for all who do.
type watch struct {
	ctx   context.Context // the server's
	read  Operations
	every time.Duration
	log   *slog.Logger

	mu     sync.Mutex
	topics map[string]*topic
	owned  sync.WaitGroup
}

// topic is one operation and those who look at it.
type topic struct {
	latest   *operations.Operation
	channels map[chan operations.Operation]struct{}
}

func newWatch(ctx context.Context, read Operations, every time.Duration, log *slog.Logger) *watch {
	return &watch{ctx: ctx, read: read, every: every, log: log, topics: map[string]*topic{}}
}

// subscribe returns a channel of the operation's changes, the latest only; it is closed when the operation is over or
// the server ends. leave must be called.
func (w *watch) subscribe(id string) (changes <-chan operations.Operation, leave func()) {
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
		w.owned.Go(func() {
			defer w.release(id, t)
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

// poll lives as long as somebody looks.
func (w *watch) poll(id string, t *topic) {
	tick := time.NewTicker(w.every)
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

// publish replaces what a slow one has not read yet.
func (w *watch) publish(t *topic, op operations.Operation) {
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

func (w *watch) finish(id string, t *topic, over bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !over && len(t.channels) > 0 && w.ctx.Err() == nil {
		return false
	}
	w.close(id, t)
	return true
}

// release lets those who look go when the watching has ended, whatever ended it.
func (w *watch) release(id string, t *topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.topics[id] == t {
		w.close(id, t)
	}
}

// close ends a topic; w.mu is held.
func (w *watch) close(id string, t *topic) {
	for ch := range t.channels {
		close(ch)
		delete(t.channels, ch)
	}
	delete(w.topics, id)
}

// until returns the operation when it is over or the time is, as last read.
func (w *watch) until(ctx context.Context, op operations.Operation, patience time.Duration) operations.Operation {
	changes, leave := w.subscribe(op.ID)
	defer leave()
	timer := time.NewTimer(patience)
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

// wait returns when nothing is read any more; call it once the server's context is over.
func (w *watch) wait() { w.owned.Wait() }
