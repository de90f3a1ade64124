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

// bodyBuffer is the beginning of a request's body, read before the request takes a place upstream. Most bodies fit in
// it, so that a slow client keeps no place from others.
type bodyBuffer struct {
	data   []byte
	whole  bool // the body is complete
	memory *memoryLimiter
	client string
	held   int64
}

// release gives the memory back.
func (in *bodyBuffer) release() {
	if in.held > 0 {
		in.memory.release(in.client, in.held)
	}
	in.data, in.held = nil, 0
}

// bufferedReader reads the buffer and then the rest of the body.
type bufferedReader struct {
	in   *bodyBuffer
	rest io.Reader
}

// Read releases the memory as soon as the buffer has been read.
func (p bufferedReader) Read(b []byte) (int, error) {
	if len(p.in.data) == 0 {
		return p.rest.Read(b)
	}
	n := copy(b, p.in.data)
	if p.in.data = p.in.data[n:]; len(p.in.data) == 0 {
		p.in.release()
	}
	return n, nil
}

// expectsContinue reports whether the client waits for 100 Continue before it sends its body.
func expectsContinue(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Expect"), "100-continue")
}

// bufferBody reads the beginning of the request's body: all of it if it is not longer than to.MaxBody or
// Options.BufferSize. A longer one whose client expects 100 Continue is not read: the application decides.
func (x *exchange) bufferBody(to Target) error {
	if !hasBody(x.r) {
		x.buffer.whole = true
		return nil
	}
	opts := &x.transport.opts
	limit, end := opts.BufferSize, time.Time{}
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
	l := bodyReader{in: &x.buffer, transport: x.transport, r: x.r, control: x.place.control, rate: opts.rateBudget(), end: end, limit: limit}
	if err := l.load(); err != nil {
		return err
	}
	if to.MaxBody > 0 && (!x.buffer.whole || int64(len(x.buffer.data)) > to.MaxBody) {
		return ErrTooLarge
	}
	// The deadline must not hit the read by which net/http notices that the client has left.
	_ = l.control.SetReadDeadline(time.Time{})
	return nil
}

// bodyReader fills a bodyBuffer.
type bodyReader struct {
	in        *bodyBuffer
	transport *Transport
	r         *http.Request
	control   *http.ResponseController
	rate      rateBudget
	end       time.Time // when all must be there; zero for no such limit
	limit     int64
}

const firstRead = 4 << 10

func (l *bodyReader) load() error {
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
			return l.readError(err)
		}
	}
}

// read reads once into the buffer.
func (l *bodyReader) read() error {
	deadline := l.rate.deadline()
	if !l.end.IsZero() && l.end.Before(deadline) {
		deadline = l.end
	}
	_ = l.control.SetReadDeadline(deadline) // where that is not supported, the server's own limits must do
	data := l.in.data
	n, err := l.r.Body.Read(data[len(data):cap(data)])
	l.in.data = data[:len(data)+n]
	l.rate.add(n)
	return err
}

func (l *bodyReader) readError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrSlow, err)
	}
	return fmt.Errorf("%w: reading request body: %w", ErrClient, err)
}

// grow makes the buffer four times as large, so that memory is used for bytes that arrived, not for an announced length.
func (l *bodyReader) grow(size int64) error {
	have := int64(cap(l.in.data))
	if int64(len(l.in.data)) < have {
		return nil
	}
	want := min(max(4*have, firstRead), size)
	if err := l.in.memory.acquire(l.r.Context(), l.in.client, want-have, l.transport.opts.QueueTimeout); err != nil {
		return err
	}
	l.in.held += want - have
	l.in.data = append(make([]byte, 0, want), l.in.data...)
	return nil
}

// memoryLimiter bounds the memory of all buffered bodies together. One client may hold a quarter of what the others have
// left, so that there is always some for the next client.
type memoryLimiter struct {
	mu      sync.Mutex
	free    int64
	clients map[string]int64
	freed   chan struct{} // closed when some is given back, if somebody waits
}

const memoryShare = 4

// acquire waits until client may hold n more bytes.
func (m *memoryLimiter) acquire(ctx context.Context, client string, n int64, timeout time.Duration) error {
	var expired <-chan time.Time
	for {
		freed, ok := m.tryAcquire(client, n)
		if ok {
			return nil
		}
		if expired == nil {
			timer := time.NewTimer(timeout)
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-freed:
		case <-expired:
			return fmt.Errorf("%w: no memory for its body", ErrBusy)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrClient, ctx.Err())
		}
	}
}

func (m *memoryLimiter) tryAcquire(client string, n int64) (freed <-chan struct{}, ok bool) {
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

func (m *memoryLimiter) release(client string, n int64) {
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
