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
// A body of up to Options.BufferSize is buffered first. Then the request waits for a place, within its client's share and
// the application's places.
//
// A nil error means that a complete response was sent. On ErrAborted part of one was sent and the caller must close the
// client's connection; on any other error nothing was sent.
func (t *Transport) Forward(w http.ResponseWriter, r *http.Request, to Target) error {
	x := exchange{transport: t, w: w, r: r, filter: to.Filter, repeatable: repeatable(r)}
	x.place.client, x.place.control = to.Client, http.NewResponseController(w)
	x.buffer.memory, x.buffer.client = &t.memory, to.Client
	defer x.buffer.release()
	if err := x.bufferBody(to); err != nil {
		return err
	}
	if x.buffer.whole && hasBody(r) {
		delete(r.Header, "Expect") // it has been fulfilled
		if r.ContentLength < 0 {
			x.r = withLength(r, len(x.buffer.data))
		}
	}
	if err := x.acquirePlace(to); err != nil {
		return err
	}
	defer x.pool.release(&x.place)
	again, err := x.attempt(false)
	if again {
		_, err = x.attempt(true)
	}
	return err
}

// withLength returns r with the length of its buffered body.
func withLength(r *http.Request, length int) *http.Request {
	copied := *r
	copied.ContentLength = int64(length)
	if length == 0 {
		copied.Body = http.NoBody
	}
	return &copied
}

// acquirePlace waits until the request has a place at the application.
func (x *exchange) acquirePlace(to Target) error {
	opts := &x.transport.opts
	for {
		x.pool = x.transport.pool(to.Socket)
		err := x.pool.acquire(x.r.Context(), &x.place, cmp.Or(to.Places, opts.MaxActive), opts.QueueTimeout)
		if !errors.Is(err, errPoolRemoved) {
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
	buffer     bodyBuffer
	repeatable bool
	upgrade    string
	cancel     cancelWatch
}

// attempt sends the request once. It returns again if the application closed a reused connection and the request must be
// sent on a new one.
func (x *exchange) attempt(fresh bool) (again bool, err error) {
	ctx := x.r.Context()
	c, err := x.transport.connect(ctx, x.pool, fresh, x.repeatable)
	if err != nil {
		return false, x.classify(err, nil)
	}
	x.cancel = cancelWatch{ctx: ctx, conn: c}
	keep := false
	defer func() {
		if x.cancel.release() && keep {
			x.pool.put(c, x.transport.opts.MaxIdle)
			return
		}
		_ = c.Close() // the error that led here is the one that counts
	}()
	if sent, err := x.sendHead(c); err != nil {
		return c.reused && (x.repeatable || sent == 0), x.classify(fmt.Errorf("%w: %w", ErrUnreachable, err), nil)
	}
	var u *upload
	if !x.buffer.whole || len(x.buffer.data) > 0 {
		x.cancel.start()
		if u, err = x.startUpload(c); err != nil {
			return false, x.classify(err, nil)
		}
		defer func() { u.end(c, x.r, err == nil) }()
	}
	resp, silent, err := x.readHead(c, u)
	if err != nil {
		return silent && c.reused && x.repeatable, x.classify(err, u)
	}
	if own := x.transport.opts.ErrorPageStatus; own != nil {
		if page := own(resp); page != 0 {
			return false, &WebServerError{Status: resp.StatusCode, Page: page}
		}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.cancel.release()
		return false, x.transport.tunnel(x.w, c, resp)
	}
	keep, err = x.respond(c, resp, u)
	return false, err
}

const (
	// largeHead is what a socket accepts without a reader.
	largeHead = 16 << 10
	// smallBody is the largest body that is sent in one write with the head.
	smallBody = 8 << 10
)

// sendHead sends the head together with a small body.
func (x *exchange) sendHead(c *conn) (sent int, err error) {
	x.upgrade = x.r.Header.Get("Upgrade")
	c.out = head(c.out[:0], x.r, x.upgrade)
	small := x.buffer.whole && len(x.buffer.data) <= smallBody
	if small {
		c.out = append(c.out, x.buffer.data...)
	}
	if len(c.out) > largeHead {
		x.cancel.start()
	}
	sent, err = c.writeWithin(c.out, x.transport.opts.StallTimeout)
	if small && err == nil {
		x.buffer.release()
	}
	return sent, err
}

// classify wraps err with the sentinel of whoever caused it.
func (x *exchange) classify(err error, u *upload) error {
	if u != nil && x.r.Context().Err() != nil {
		// net/http reports a read timeout like a client that has gone; only the upload knows which it was. The upload
		// ends now, because the connection that it writes to is closed.
		x.cancel.start()
		<-u.done
	}
	switch {
	case u.failedByClient() && x.place.evicted.Load():
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case u.failedByClient() && errors.Is(u.err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrSlow, err)
	case x.r.Context().Err() != nil || u.failedByClient():
		return fmt.Errorf("%w: %w", ErrClient, err)
	}
	return err
}

// maxInterim bounds the 1xx responses before the final one.
const maxInterim = 16

// readHead waits for the header of the final response and forwards interim ones. silent means that the connection ended
// without a single byte.
func (x *exchange) readHead(c *conn, u *upload) (resp *http.Response, silent bool, err error) {
	opts := &x.transport.opts
	for range maxInterim {
		c.limitReading(opts.MaxHeaderBytes)
		if err := x.awaitHeader(c, u); err != nil {
			return nil, true, headerError(err)
		}
		resp, err := http.ReadResponse(c.br, x.r)
		c.unlimit()
		if err != nil {
			return nil, false, headerError(err)
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
			u.answerBegan()
			return resp, false, x.checkSwitch(resp)
		case resp.StatusCode > 101 && resp.StatusCode < 200:
			x.interim(resp)
		case resp.StatusCode >= 200 && resp.StatusCode < 600:
			u.answerBegan()
			return resp, false, nil
		default:
			return nil, false, fmt.Errorf("%w: status %d", ErrBadAnswer, resp.StatusCode)
		}
	}
	return nil, false, fmt.Errorf("%w: more than %d interim responses", ErrBadAnswer, maxInterim)
}

// fastAnswer is the time within which most answers come. Only for slower ones is it worth watching for the client's
// departure.
const fastAnswer = 100 * time.Millisecond

var headEnd = []byte("\r\n\r\n")

// awaitHeader returns when the first byte of a header has arrived. While an upload is in progress, the upload sets the
// read deadline when it ends.
func (x *exchange) awaitHeader(c *conn, u *upload) error {
	if u != nil {
		_, err := c.br.Peek(1)
		return err
	}
	limit := x.transport.opts.HeaderTimeout
	if x.cancel.stop == nil && fastAnswer < limit {
		if err := c.readWithin(fastAnswer); err != nil {
			return err
		}
		// The answer is not there yet. Yielding once lets other requests run and often avoids sleeping and being woken.
		runtime.Gosched()
		_, err := c.br.Peek(1)
		if err == nil && c.bufferContains(headEnd) {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		limit -= fastAnswer
	}
	x.cancel.start()
	if err := c.readWithin(limit); err != nil {
		return err
	}
	_, err := c.br.Peek(1)
	return err
}

func headerError(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return fmt.Errorf("%w: %w", ErrBadAnswer, err)
}

// interim forwards a response such as 103 Early Hints.
func (x *exchange) interim(resp *http.Response) {
	header := x.w.Header()
	before := header.Clone()
	copyHeader(header, resp.Header)
	x.w.WriteHeader(resp.StatusCode)
	clear(header)
	for name, values := range before {
		header[name] = values
	}
}

// respond sends the final response and reports whether the connection can be used for another request.
func (x *exchange) respond(c *conn, resp *http.Response, u *upload) (keep bool, err error) {
	header := x.w.Header()
	copyHeader(header, resp.Header)
	for name := range resp.Trailer {
		header.Add("Trailer", name)
	}
	if !x.buffer.whole && !u.complete() && x.r.ProtoMajor == 1 {
		// The rest of the body must never be read as the next request.
		header.Set("Connection", "close")
	}
	x.w.WriteHeader(resp.StatusCode)
	whole, err := x.body(c, resp)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrAborted, err)
	}
	// Bytes after the response belong to no request.
	return whole && !resp.Close && c.br.Buffered() == 0 && u.complete(), nil
}

// copyHeader copies the header of a response without hop-by-hop fields.
func copyHeader(into, from http.Header) {
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

// body sends the body and reports whether the body's framing marks its end, as opposed to the end of the connection.
func (x *exchange) body(c *conn, resp *http.Response) (whole bool, err error) {
	s := stream{
		w: x.w, control: x.place.control, conn: c, stall: x.transport.opts.StallTimeout,
		windowed: x.r.ProtoMajor > 1, watch: x.cancel.start, place: &x.place,
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
