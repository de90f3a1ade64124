package feed

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"chatiere/panel/auth"
	"chatiere/tenants/operations"
)

const (
	writeLimit   = 30 * time.Second // of one event
	recheckLimit = 15 * time.Second
)

// Limiter limits the open streams of one visitor.
type Limiter struct {
	limit int
	mu    sync.Mutex
	open  map[string]int
}

// NewLimiter returns a limiter of that many streams for each visitor.
func NewLimiter(limit int) *Limiter {
	return &Limiter{limit: limit, open: map[string]int{}}
}

// Acquire counts a stream, unless the visitor has too many.
func (t *Limiter) Acquire(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[key] >= t.limit {
		return false
	}
	t.open[key]++
	return true
}

// Release ends a stream that was counted.
func (t *Limiter) Release(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[key]--; t.open[key] <= 0 {
		delete(t.open, key)
	}
}

// Stream is one open stream.
type Stream struct {
	Conn      net.Conn
	First     operations.Operation // sent at once
	Changes   <-chan operations.Operation
	Encode    func(op operations.Operation) ([]byte, error) // renders one line of an event's data
	Heartbeat time.Duration
	Signals   *auth.Changes
	Changed   <-chan struct{} // of Signals, taken before the visitor was checked first
	// Recheck returns an error once the visitor may not see the operation any more.
	Recheck func(ctx context.Context) error
	Done    context.Context // the server's
}

// Run writes events until the operation is over, the visitor may not see it any more, or the server ends.
func (s *Stream) Run(w *bufio.Writer) {
	if s.send(w, s.First) != nil {
		return
	}
	beat := time.NewTicker(s.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case op, open := <-s.Changes:
			if !open {
				s.end(w)
				return
			}
			if s.send(w, op) != nil {
				return
			}
		case <-beat.C:
			if s.alive(w) != nil {
				return
			}
		case <-s.Changed: // a session has just ended, perhaps this one
			s.Changed = s.Signals.Wait()
			if s.alive(w) != nil {
				return
			}
		case <-s.Done.Done():
			return // the browser reconnects by itself, to our successor
		}
	}
}

func (s *Stream) send(w *bufio.Writer, op operations.Operation) error {
	data, err := s.Encode(op)
	if err != nil {
		return err
	}
	return s.write(w, "event: progress\ndata: %s\n\n", data)
}

// end sends the end event only if the operation is over; when the server stops, the browser reconnects.
func (s *Stream) end(w *bufio.Writer) {
	if s.Done.Err() == nil {
		_ = s.write(w, "event: end\ndata: %s\n\n", []byte("{}"))
	}
}

// alive keeps the connection open, or returns an error if the visitor has lost the right to see the operation.
func (s *Stream) alive(w *bufio.Writer) error {
	ctx, cancel := context.WithTimeout(s.Done, recheckLimit)
	defer cancel()
	if err := s.Recheck(ctx); err != nil {
		return err
	}
	return s.write(w, ": %s\n\n", []byte("alive"))
}

func (s *Stream) write(w *bufio.Writer, format string, data []byte) error {
	// The server's write timeout starts with the response; each event of a stream gets its own.
	if err := s.Conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, format, data); err != nil {
		return err
	}
	return w.Flush() // the only sign that nobody listens any more
}
