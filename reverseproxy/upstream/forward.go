package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"
)

// Forward sends r to the application behind socket and its response to w.
//
// The caller has cleaned the header: hop-by-hop fields are gone, forwarding fields are its own, Host
// is set, and Upgrade is present only if the client asked for a protocol that it may have. Request
// trailers are dropped, as RFC 9110 §6.5.1 allows.
//
// A body of up to Options.Intake is taken in first. Then the request waits for a place, which its client's share and
// the application's places allow it.
//
// A nil error means a whole response. On ErrAborted part of one was sent and the caller must cut the
// client's connection; on any other error nothing was sent.
func (t *Transport) Forward(w http.ResponseWriter, r *http.Request, to Target) error {
	x := exchange{transport: t, w: w, r: r, filter: to.Filter, repeatable: repeatable(r)}
	x.place.client, x.place.control = to.Client, http.NewResponseController(w)
	x.in.memory, x.in.client = &t.memory, to.Client
	defer x.in.release()
	if err := x.takeIn(to); err != nil {
		return err
	}
	if x.in.whole && hasBody(r) {
		delete(r.Header, "Expect") // it has been fulfilled
		if r.ContentLength < 0 {
			x.r = measured(r, len(x.in.data))
		}
	}
	if err := x.enter(to); err != nil {
		return err
	}
	defer x.pool.leave(&x.place)
	again, err := x.attempt(false)
	if again {
		_, err = x.attempt(true)
	}
	return err
}

// measured is r with the length that its body turned out to have.
func measured(r *http.Request, length int) *http.Request {
	copied := *r
	copied.ContentLength = int64(length)
	if length == 0 {
		copied.Body = http.NoBody
	}
	return &copied
}

// enter waits for a place.
func (x *exchange) enter(to Target) error {
	opts := &x.transport.opts
	for {
		x.pool = x.transport.pool(to.Socket)
		err := x.pool.enter(x.r.Context(), &x.place, cmp.Or(to.Places, opts.MaxActive), opts.QueueTimeout)
		if !errors.Is(err, errGone) {
			return err
		}
	}
}

// exchange is one request and its response.
type exchange struct {
	transport  *Transport
	pool       *pool
	place      place
	w          http.ResponseWriter
	r          *http.Request
	filter     func(http.Header)
	in         intake
	repeatable bool
	upgrade    string
	guard      guard
}

// attempt sends the request once. It asks to be called again, with a fresh connection, if the
// application closed an unused one under our hands.
func (x *exchange) attempt(fresh bool) (again bool, err error) {
	ctx := x.r.Context()
	c, err := x.transport.connect(ctx, x.pool, fresh, x.repeatable)
	if err != nil {
		return false, x.blame(err, nil)
	}
	x.guard = guard{ctx: ctx, conn: c}
	keep := false
	defer func() {
		if x.guard.release() && keep {
			x.pool.put(c, x.transport.opts.MaxIdle)
			return
		}
		_ = c.Close() // the error that led here is the one that counts
	}()
	if sent, err := x.sendHead(c); err != nil {
		return c.reused && (x.repeatable || sent == 0), x.blame(fmt.Errorf("%w: %w", ErrUnreachable, err), nil)
	}
	var u *upload
	if !x.in.whole || len(x.in.data) > 0 {
		x.guard.watch()
		if u, err = x.startUpload(c); err != nil {
			return false, x.blame(err, nil)
		}
		defer func() { u.end(c, x.r, err == nil) }()
	}
	resp, silent, err := x.readHead(c, u)
	if err != nil {
		return silent && c.reused && x.repeatable, x.blame(err, u)
	}
	if own := x.transport.opts.Own; own != nil {
		if page := own(resp); page != 0 {
			return false, &OwnError{Status: resp.StatusCode, Page: page}
		}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.guard.release()
		return false, x.transport.tunnel(x.w, c, resp)
	}
	keep, err = x.respond(c, resp, u)
	return false, err
}

const (
	// largeHead is what a socket takes without anybody reading from it.
	largeHead = 16 << 10
	// smallBody is what leaves in one write with the head.
	smallBody = 8 << 10
)

// sendHead sends the head, and the body with it if that is small.
func (x *exchange) sendHead(c *conn) (sent int, err error) {
	x.upgrade = x.r.Header.Get("Upgrade")
	c.out = head(c.out[:0], x.r, x.upgrade)
	small := x.in.whole && len(x.in.data) <= smallBody
	if small {
		c.out = append(c.out, x.in.data...)
	}
	if len(c.out) > largeHead {
		x.guard.watch()
	}
	sent, err = c.writeWithin(c.out, x.transport.opts.StallTimeout)
	if small && err == nil {
		x.in.release()
	}
	return sent, err
}

// blame names whose fault err is.
func (x *exchange) blame(err error, u *upload) error {
	if u != nil && x.r.Context().Err() != nil {
		// net/http takes a read that came too late for a client that has gone; only the upload knows. It ends now,
		// since the guard has closed what it writes to.
		x.guard.watch()
		<-u.done
	}
	switch {
	case u.failed() && x.place.evicted.Load():
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case u.failed() && errors.Is(u.err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrSlow, err)
	case x.r.Context().Err() != nil || u.failed():
		return fmt.Errorf("%w: %w", ErrClient, err)
	}
	return err
}

// maxInterim bounds the 1xx responses before the final one.
const maxInterim = 16

// readHead waits for the header of the final response and passes on interim ones. silent reports that
// the connection ended without a single byte.
func (x *exchange) readHead(c *conn, u *upload) (resp *http.Response, silent bool, err error) {
	opts := &x.transport.opts
	for range maxInterim {
		c.limitReading(opts.MaxHeaderBytes)
		if err := x.await(c, u); err != nil {
			return nil, true, headFault(err)
		}
		resp, err := http.ReadResponse(c.br, x.r)
		c.unlimit()
		if err != nil {
			return nil, false, headFault(err)
		}
		if x.filter != nil {
			x.filter(resp.Header)
		}
		switch {
		case resp.StatusCode == http.StatusContinue:
			if u != nil {
				u.allow()
			}
		case resp.StatusCode == http.StatusSwitchingProtocols:
			u.answering()
			return resp, false, x.checkSwitch(resp)
		case resp.StatusCode > 101 && resp.StatusCode < 200:
			x.interim(resp)
		case resp.StatusCode >= 200 && resp.StatusCode < 600:
			u.answering()
			return resp, false, nil
		default:
			return nil, false, fmt.Errorf("%w: status %d", ErrBadAnswer, resp.StatusCode)
		}
	}
	return nil, false, fmt.Errorf("%w: more than %d interim responses", ErrBadAnswer, maxInterim)
}

// prompt is how fast most answers come. Only for those that take longer is it worth while to have the
// client watched.
const prompt = 100 * time.Millisecond

var headEnd = []byte("\r\n\r\n")

// await returns when a header has begun to come. While the application has not got the whole request it is the
// upload that sets the limit, at its end.
func (x *exchange) await(c *conn, u *upload) error {
	if u != nil {
		_, err := c.br.Peek(1)
		return err
	}
	limit := x.transport.opts.HeaderTimeout
	if x.guard.stop == nil && prompt < limit {
		if err := c.readWithin(prompt); err != nil {
			return err
		}
		// Whoever looks at once finds nothing yet, and sleeps and is woken for it: other requests go first.
		runtime.Gosched()
		_, err := c.br.Peek(1)
		if err == nil && c.holds(headEnd) {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		limit -= prompt
	}
	x.guard.watch()
	if err := c.readWithin(limit); err != nil {
		return err
	}
	_, err := c.br.Peek(1)
	return err
}

func headFault(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return fmt.Errorf("%w: %w", ErrBadAnswer, err)
}

// interim passes on a response such as 103 Early Hints.
func (x *exchange) interim(resp *http.Response) {
	header := x.w.Header()
	before := header.Clone()
	takeOver(header, resp.Header)
	x.w.WriteHeader(resp.StatusCode)
	clear(header)
	for name, values := range before {
		header[name] = values
	}
}

// respond sends the final response, and reports whether the connection can serve another request.
func (x *exchange) respond(c *conn, resp *http.Response, u *upload) (keep bool, err error) {
	header := x.w.Header()
	takeOver(header, resp.Header)
	for name := range resp.Trailer {
		header.Add("Trailer", name)
	}
	if !x.in.whole && !u.complete() && x.r.ProtoMajor == 1 {
		// What is left of the body must never be read as the next request.
		header.Set("Connection", "close")
	}
	x.w.WriteHeader(resp.StatusCode)
	whole, err := x.body(c, resp)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrAborted, err)
	}
	// Bytes after the response are an answer to a question nobody asked.
	return whole && !resp.Close && c.br.Buffered() == 0 && u.complete(), nil
}

// takeOver copies the header of a response, except for what belongs to the connection.
func takeOver(into, from http.Header) {
	for _, list := range from["Connection"] {
		for name := range tokens(list) {
			delete(from, http.CanonicalHeaderKey(name))
		}
	}
	for name, values := range from {
		if !hopByHop(name) {
			into[name] = values
		}
	}
}

// body sends the body and reports whether its end is certain without the connection's end.
func (x *exchange) body(c *conn, resp *http.Response) (whole bool, err error) {
	s := stream{
		w: x.w, control: x.place.control, conn: c, stall: x.transport.opts.StallTimeout,
		windowed: x.r.ProtoMajor > 1, watch: x.guard.watch, place: &x.place,
	}
	switch {
	case x.r.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified:
		return true, nil
	case resp.ContentLength >= 0:
		return true, s.sized(resp.ContentLength)
	case len(resp.TransferEncoding) == 0:
		return false, s.untilEnd()
	}
	if err := s.chunks(resp.Body); err != nil {
		return false, err
	}
	if x.filter != nil {
		x.filter(resp.Trailer)
	}
	for name, values := range resp.Trailer {
		if !hopByHop(name) && name != "Content-Length" {
			x.w.Header()[http.TrailerPrefix+name] = values
		}
	}
	return true, nil
}

// errShort is a body that ended before its announced length.
var errShort = fmt.Errorf("body is shorter than announced: %w", io.ErrUnexpectedEOF)
