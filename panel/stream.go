package panel

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/auth"
	"chatiere/panel/feed"
	"chatiere/panel/middleware"
	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// maxStreams is per session, token or socket times what a person has open.
const maxStreams = 6

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
	if !s.streams.Acquire(key) {
		return auth.ErrLimited
	}
	changes, unsubscribe := s.feed.Subscribe(op.ID)
	f := &feed.Stream{
		Conn: c.Context().Conn(), First: op, Changes: changes, Heartbeat: s.o.Heartbeat, Signals: s.changes, Changed: changed,
		Encode:  func(op operations.Operation) ([]byte, error) { return encode(op, a.Slug) },
		Recheck: s.recheck(c, a.Slug), Done: s.done,
	}
	c.Set(fiber.HeaderContentType, "text/event-stream")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no")
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() {
			if r := recover(); r != nil {
				s.log.Error("stream panicked", "operation", op.ID, "panic", r)
			}
		}()
		defer s.streams.Release(key)
		defer unsubscribe()
		f.Run(w)
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
