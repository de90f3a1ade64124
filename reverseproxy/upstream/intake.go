package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// intake is the beginning of a request's body, taken in before the request has a place upstream: most bodies are
// no longer than that, and a slow client then keeps nobody but itself waiting.
type intake struct {
	data   []byte
	whole  bool // nothing follows
	memory *memory
	client string
	held   int64
}

// release gives the memory back.
func (in *intake) release() {
	if in.held > 0 {
		in.memory.give(in.client, in.held)
	}
	in.data, in.held = nil, 0
}

// prefixed reads what was taken in and then the rest of the body.
type prefixed struct {
	in   *intake
	rest io.Reader
}

// Read gives the memory back as soon as what it held is on its way.
func (p prefixed) Read(b []byte) (int, error) {
	if len(p.in.data) == 0 {
		return p.rest.Read(b)
	}
	n := copy(b, p.in.data)
	if p.in.data = p.in.data[n:]; len(p.in.data) == 0 {
		p.in.release()
	}
	return n, nil
}

// expectsContinue reports whether the client waits for leave to send its body.
func expectsContinue(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Expect"), "100-continue")
}

// takeIn reads the beginning of the request's body: all of it, if it is not longer than to.MaxBody or Options.Intake.
// A longer one whose client asks for leave first is left to the application to accept.
func (x *exchange) takeIn(to Target) error {
	if !hasBody(x.r) {
		x.in.whole = true
		return nil
	}
	opts := &x.transport.opts
	limit, end := opts.Intake, time.Time{}
	if to.MaxBody > 0 {
		limit, end = to.MaxBody, time.Now().Add(opts.BodyTimeout)
		if x.r.ContentLength > limit {
			return ErrTooLarge
		}
		if x.r.ContentLength < 0 {
			limit++ // one that gets there is too large
		}
	} else if expectsContinue(x.r) && (x.r.ContentLength > limit || x.r.ContentLength < 0) {
		return nil
	}
	l := loader{in: &x.in, transport: x.transport, r: x.r, control: x.place.control, pace: opts.pace(), end: end, limit: limit}
	if err := l.load(); err != nil {
		return err
	}
	if to.MaxBody > 0 && !x.in.whole {
		return ErrTooLarge
	}
	// The deadline must not hit the read by which net/http notices that the client has left.
	_ = l.control.SetReadDeadline(time.Time{})
	return nil
}

// loader fills an intake.
type loader struct {
	in        *intake
	transport *Transport
	r         *http.Request
	control   *http.ResponseController
	pace      pace
	end       time.Time // when all must be there; zero for no such limit
	limit     int64
}

const firstPiece = 4 << 10

func (l *loader) load() error {
	size, known := l.limit, l.r.ContentLength >= 0
	if known {
		size = min(size, l.r.ContentLength)
	}
	for {
		if int64(len(l.in.data)) == size {
			l.in.whole = known && size == l.r.ContentLength
			return nil
		}
		if err := l.grow(size); err != nil {
			return err
		}
		err := l.read()
		if errors.Is(err, io.EOF) && (!known || int64(len(l.in.data)) == l.r.ContentLength) {
			l.in.whole = true
			return nil
		}
		if err != nil {
			return l.fault(err)
		}
	}
}

// read takes what has come.
func (l *loader) read() error {
	deadline := l.pace.deadline()
	if !l.end.IsZero() && l.end.Before(deadline) {
		deadline = l.end
	}
	_ = l.control.SetReadDeadline(deadline) // where that is not supported, the server's own limits must do
	data := l.in.data
	n, err := l.r.Body.Read(data[len(data):cap(data)])
	l.in.data = data[:len(data)+n]
	l.pace.add(n)
	return err
}

func (l *loader) fault(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrSlow, err)
	}
	return fmt.Errorf("%w: reading request body: %w", ErrClient, err)
}

// grow makes room for more, four times what there is, so that memory is held for what came and not for what was
// announced.
func (l *loader) grow(size int64) error {
	have := int64(cap(l.in.data))
	if int64(len(l.in.data)) < have {
		return nil
	}
	want := min(max(4*have, firstPiece), size)
	if err := l.in.memory.take(l.r.Context(), l.in.client, want-have, l.transport.opts.QueueTimeout); err != nil {
		return err
	}
	l.in.held += want - have
	l.in.data = append(make([]byte, 0, want), l.in.data...)
	return nil
}

// memory bounds what bodies taken in may hold, all together. One client may hold a quarter of what the others
// have left, so that however many fill it, there is some for the next.
type memory struct {
	mu      sync.Mutex
	free    int64
	clients map[string]int64
	freed   chan struct{} // closed when some is given back, if somebody waits
}

const memoryShare = 4

// take returns once client holds n bytes more, or says why it gets none.
func (m *memory) take(ctx context.Context, client string, n int64, patience time.Duration) error {
	var late <-chan time.Time
	for {
		freed, ok := m.try(client, n)
		if ok {
			return nil
		}
		if late == nil {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-freed:
		case <-late:
			return fmt.Errorf("%w: no memory for its body", ErrBusy)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrClient, ctx.Err())
		}
	}
}

func (m *memory) try(client string, n int64) (freed <-chan struct{}, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.free >= n && m.clients[client]+n <= m.free/memoryShare {
		m.free -= n
		m.clients[client] += n
		return nil, true
	}
	if m.freed == nil {
		m.freed = make(chan struct{})
	}
	return m.freed, false
}

func (m *memory) give(client string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free += n
	if m.clients[client] -= n; m.clients[client] <= 0 {
		delete(m.clients, client)
	}
	if m.freed != nil {
		close(m.freed)
		m.freed = nil
	}
}
