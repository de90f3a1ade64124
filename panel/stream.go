package panel

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/auth"
	"chatiere/panel/middleware"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

const (
	maxStreams = 6 // per session, token or socket times what a person has open
	writeLimit = 30 * time.Second
)

// streamLimiter limits the open streams of one visitor.
type streamLimiter struct {
	limit int
	mu    sync.Mutex
	open  map[string]int
}

func newStreamLimiter(limit int) *streamLimiter {
	return &streamLimiter{limit: limit, open: map[string]int{}}
}

func (t *streamLimiter) acquire(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[key] >= t.limit {
		return false
	}
	t.open[key]++
	return true
}

func (t *streamLimiter) release(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[key]--; t.open[key] <= 0 {
		delete(t.open, key)
	}
}

// encoder renders an operation as one line of an event's data.
type encoder func(op operations.Operation, slug string) ([]byte, error)

func (s *Server) operationEvents(c *fiber.Ctx) error {
	lang := middleware.LanguageOf(c)
	return s.stream(c, func(op operations.Operation, _ string) ([]byte, error) {
		var b bytes.Buffer
		err := s.o.Views.RenderPart(&b, lang, progressOf(op, s.now()))
		return b.Bytes(), err
	})
}

func (s *Server) apiOperationEvents(c *fiber.Ctx) error {
	admin := may(c, tenants.ActDoctor, "")
	return s.stream(c, func(op operations.Operation, slug string) ([]byte, error) {
		return json.Marshal(operationOf(op, slug, admin))
	})
}

// stream sends the operation's changes until it is over, the visitor may not see it any more, or the server ends.
// Nothing of the request may be used once this returns, so everything needed is taken out first.
func (s *Server) stream(c *fiber.Ctx, encode encoder) error {
	changed := s.changes.Wait() // before the first check, so that no change is missed between it and the stream
	op, a, err := s.findOperation(c)
	if err != nil {
		return err
	}
	key := streamKey(visitorOf(c))
	if !s.streams.acquire(key) {
		return auth.ErrLimited
	}
	f := &eventStream{
		conn: c.Context().Conn(), encode: encode, slug: a.Slug, recheck: s.recheck(c, a.Slug), serverDone: s.done, heartbeat: s.o.Heartbeat, signals: s.changes, changed: changed,
		release: func() { s.streams.release(key) }, first: op,
	}
	f.changes, f.unsubscribe = s.feed.subscribe(op.ID)
	c.Set(fiber.HeaderContentType, "text/event-stream")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no")
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() {
			if r := recover(); r != nil {
				s.log.Error("stream panicked", "operation", op.ID, "panic", r)
			}
		}()
		f.run(w)
	})
	return nil
}

func streamKey(v visitor) string {
	if v.Session != nil {
		return string(v.Session.Hash[:])
	}
	return string(v.Principal.Kind) + ":" + v.Principal.ID
}

// recheck returns a function that checks again whether the visitor may still see the operation.
func (s *Server) recheck(c *fiber.Ctx, slug string) func(context.Context) error {
	v := visitorOf(c)
	secret, _ := bearer(c)
	secret = strings.Clone(secret)
	return func(ctx context.Context) error {
		p := v.Principal
		var err error
		switch {
		case v.Session != nil:
			var visit auth.Resolved
			visit, err = s.sessions.ResolveHash(ctx, v.Session.Hash)
			p = visit.Session.Principal()
		case p.Kind == tenants.KindToken:
			var resolved auth.ResolvedToken
			resolved, err = s.tokens.Resolve(ctx, secret)
			p = resolved.Principal
		}
		if err != nil {
			return err
		}
		return tenants.Authorize(p, tenants.ActOperationShow, slug)
	}
}

// eventStream is one open stream.
type eventStream struct {
	conn        net.Conn
	encode      encoder
	slug        string
	heartbeat   time.Duration
	signals     *auth.Changes
	changed     <-chan struct{}
	recheck     func(context.Context) error
	changes     <-chan operations.Operation
	serverDone  context.Context
	first       operations.Operation
	release     func()
	unsubscribe func()
}

func (f *eventStream) run(w *bufio.Writer) {
	defer f.release()
	defer f.unsubscribe()
	if f.send(w, f.first) != nil {
		return
	}
	beat := time.NewTicker(f.heartbeat)
	defer beat.Stop()
	for {
		select {
		case op, open := <-f.changes:
			if !open {
				f.end(w)
				return
			}
			if f.send(w, op) != nil {
				return
			}
		case <-beat.C:
			if f.alive(w) != nil {
				return
			}
		case <-f.changed: // a session has just ended, perhaps this one
			f.changed = f.signals.Wait()
			if f.alive(w) != nil {
				return
			}
		case <-f.serverDone.Done():
			return // the browser reconnects by itself, to our successor
		}
	}
}

func (f *eventStream) send(w *bufio.Writer, op operations.Operation) error {
	data, err := f.encode(op, f.slug)
	if err != nil {
		return err
	}
	return f.write(w, "event: progress\ndata: %s\n\n", data)
}

// end sends the end event only if the operation is over; when the server stops, the browser reconnects.
func (f *eventStream) end(w *bufio.Writer) {
	if f.serverDone.Err() == nil {
		_ = f.write(w, "event: end\ndata: %s\n\n", []byte("{}"))
	}
}

// alive keeps the connection open, or returns an error if the visitor has lost the right to see the operation.
func (f *eventStream) alive(w *bufio.Writer) error {
	ctx, cancel := context.WithTimeout(f.serverDone, handlerLimit)
	defer cancel()
	if err := f.recheck(ctx); err != nil {
		return err
	}
	return f.write(w, ": %s\n\n", []byte("alive"))
}

func (f *eventStream) write(w *bufio.Writer, format string, data []byte) error {
	// The server's write timeout starts with the response; each event of a stream gets its own.
	if err := f.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, format, data); err != nil {
		return err
	}
	return w.Flush() // the only sign that nobody listens any more
}
