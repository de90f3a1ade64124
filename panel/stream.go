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
	streamsEach = 6 // per session, token or socket times what a person has open
	writeLimit  = 30 * time.Second
)

// tally caps how many streams one visitor has open.
type tally struct {
	limit int
	mu    sync.Mutex
	open  map[string]int
}

func newTally(limit int) *tally { return &tally{limit: limit, open: map[string]int{}} }

func (t *tally) enter(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[key] >= t.limit {
		return false
	}
	t.open[key]++
	return true
}

func (t *tally) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[key]--; t.open[key] <= 0 {
		delete(t.open, key)
	}
}

// encoder draws an operation as one line of an event's data.
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
	rings := s.bell.Wait() // before the first look, so that no ring goes by between it and the stream
	op, a, err := s.findOperation(c)
	if err != nil {
		return err
	}
	key := streamKey(visitorOf(c))
	if !s.streams.enter(key) {
		return auth.ErrLimited
	}
	f := &flow{
		conn: c.Context().Conn(), encode: encode, slug: a.Slug, recheck: s.recheck(c, a.Slug), ends: s.ends, beat: s.o.Heartbeat, bell: s.bell, rings: rings,
		leave: func() { s.streams.leave(key) }, first: op,
	}
	f.changes, f.unsubscribe = s.watch.subscribe(op.ID)
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

// recheck asks again, from the records, whether the one who opened the stream may still see the operation.
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

// flow is one open stream.
type flow struct {
	conn        net.Conn
	encode      encoder
	slug        string
	beat        time.Duration
	bell        *auth.Changes
	rings       <-chan struct{}
	recheck     func(context.Context) error
	changes     <-chan operations.Operation
	ends        context.Context
	first       operations.Operation
	leave       func()
	unsubscribe func()
}

func (f *flow) run(w *bufio.Writer) {
	defer f.leave()
	defer f.unsubscribe()
	if f.send(w, f.first) != nil {
		return
	}
	beat := time.NewTicker(f.beat)
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
		case <-f.rings: // somebody's session has ended just now: perhaps this one's
			f.rings = f.bell.Wait()
			if f.alive(w) != nil {
				return
			}
		case <-f.ends.Done():
			return // the browser comes back by itself, and finds our successor
		}
	}
}

func (f *flow) send(w *bufio.Writer, op operations.Operation) error {
	data, err := f.encode(op, f.slug)
	if err != nil {
		return err
	}
	return f.write(w, "event: progress\ndata: %s\n\n", data)
}

// end is only told when the operation is over; a server that stops lets the browser ask again.
func (f *flow) end(w *bufio.Writer) {
	if f.ends.Err() == nil {
		_ = f.write(w, "event: end\ndata: %s\n\n", []byte("{}"))
	}
}

// alive keeps the connection open, and closes it on those who have lost the right to look.
func (f *flow) alive(w *bufio.Writer) error {
	ctx, cancel := context.WithTimeout(f.ends, handlerLimit)
	defer cancel()
	if err := f.recheck(ctx); err != nil {
		return err
	}
	return f.write(w, ": %s\n\n", []byte("alive"))
}

func (f *flow) write(w *bufio.Writer, format string, data []byte) error {
	// The server's write limit counts from the answer's start; a stream starts anew with each event.
	if err := f.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, format, data); err != nil {
		return err
	}
	return w.Flush() // the only sign that nobody listens any more
}
