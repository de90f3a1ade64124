package upstream

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"chatiere/reverseproxy/recovery"
)

// continueWait is how long a client that waits for "100 Continue" is kept waiting by an application
// that ignores the question.
const continueWait = time.Second

// lingering is how long a client may go on sending a body that nobody wants any more. Closing at once
// would have its kernel throw away the response we have sent.
const lingering = 5 * time.Second

var (
	// errUnasked ends an upload whose body was never asked for, so that none is on its way.
	errUnasked = errors.New("body was not asked for")
	// errAnswered ends an upload that the application did not wait for; the client may still be sending.
	errAnswered = errors.New("answered before the body was read")
)

var copyBuffers = sync.Pool{New: func() any {
	buf := make([]byte, bufferSize)
	return &buf
}}

// upload sends the body of one request while its response is awaited.
type upload struct {
	control *http.ResponseController
	stall   time.Duration // of the application
	think   time.Duration // of the application, once it has everything
	pace    pace          // of the client
	place   *place
	whole   bool // the body has been taken in: nothing is read from the client

	proceed chan struct{} // closed when the body may be read
	once    sync.Once
	stop    chan struct{} // closed when the body is wanted no more
	done    chan struct{}
	err     error       // why it ended, nil when all was sent; valid after done
	gone    atomic.Bool // it ended because of the client

	mu       sync.Mutex
	answered bool // the application has begun to answer
}

// startUpload begins to send the body, or, if its client asked for leave to send it, waits until allow is called.
func (x *exchange) startUpload(c *conn) (*upload, error) {
	opts := &x.transport.opts
	u := &upload{
		control: x.place.control, stall: opts.StallTimeout, think: opts.HeaderTimeout, pace: opts.pace(), place: &x.place,
		whole: x.in.whole, proceed: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if !x.in.whole {
		// By default net/http swallows the rest of a body before it sends a response. Where that cannot
		// be switched off (HTTP/2) it does not do so.
		_ = u.control.EnableFullDuplex()
	}
	if x.in.whole || !expectsContinue(x.r) {
		u.allow()
	}
	if err := c.unlimitedReads(); err != nil {
		close(u.done)
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	go func() {
		defer close(u.done)
		defer u.endAfterPanic(c)
		defer recovery.Error(&u.err)
		if u.err = u.await(); u.err != nil {
			return
		}
		var client bool
		if client, u.err = u.send(c, x); client {
			// The application waits for a body that never ends, and we for its answer.
			u.gone.Store(true)
			_ = c.Close()
			return
		}
		u.thinking(c)
	}()
	return u, nil
}

// answering says that the application has begun to answer: its time to think is over.
func (u *upload) answering() {
	if u == nil {
		return
	}
	u.mu.Lock()
	u.answered = true
	u.mu.Unlock()
}

// thinking begins the application's time to think. One that takes no more has had its time, unless its answer is
// on the way.
func (u *upload) thinking(c *conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.answered {
		return
	}
	limit := u.think
	if u.err != nil {
		limit = min(limit, lingering)
	}
	// A connection that takes no deadline is closed, which its reader notices.
	_ = c.SetReadDeadline(time.Now().Add(limit))
}

// endAfterPanic ends the exchange that a fault of ours cut short.
func (u *upload) endAfterPanic(c *conn) {
	if errors.Is(u.err, recovery.ErrPanic) {
		slog.Error("sending a request's body failed by a fault of ours", "error", u.err)
		u.gone.Store(true)
		_ = c.Close()
	}
}

// allow lets the body go.
func (u *upload) allow() { u.once.Do(func() { close(u.proceed) }) }

func (u *upload) await() error {
	timer := time.NewTimer(continueWait)
	defer timer.Stop()
	select {
	case <-u.proceed:
		return nil
	case <-timer.C:
		return nil
	case <-u.stop:
	}
	select {
	case <-u.proceed: // the client sends already, however late we come to it: what it sends must be taken away
		return nil
	default:
		return errUnasked
	}
}

// complete reports whether the whole body was sent. A request without body has a nil upload.
func (u *upload) complete() bool {
	if u == nil {
		return true
	}
	select {
	case <-u.done:
		return u.err == nil
	default:
		return false
	}
}

// failed reports whether the upload ended because of the client.
func (u *upload) failed() bool { return u != nil && u.gone.Load() }

// end waits for the upload, having made it stop: its handler must not return before. If the response
// was sent well, a client of HTTP/1.1 is given time to notice it.
func (u *upload) end(c *conn, r *http.Request, answered bool) {
	if u == nil || u.complete() {
		return
	}
	close(u.stop)
	_ = c.Close() // ends a write in progress
	if u.whole {
		<-u.done
		return
	}
	if !answered || r.ProtoMajor > 1 {
		u.deadline(time.Unix(1, 0)) // ends a read in progress
		<-u.done
		return
	}
	_ = u.control.Flush() // if the client has gone, the following ends at once
	u.deadline(time.Now().Add(lingering))
	<-u.done
	if !errors.Is(u.err, errUnasked) {
		u.deadline(time.Now().Add(lingering))
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// deadline limits reads of the body. Where that is not supported, the server's own limits must do.
func (u *upload) deadline(when time.Time) {
	if !u.whole {
		_ = u.control.SetReadDeadline(when)
	}
}

// send copies the body and reports whether a failure is the client's.
func (u *upload) send(c *conn, x *exchange) (client bool, err error) {
	pooled := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(pooled)
	part := newPart(*pooled, chunked(x.r))
	left, body := x.r.ContentLength, io.Reader(prefixed{in: &x.in, rest: x.r.Body})
	for {
		if !u.prolong() {
			return false, errAnswered
		}
		n, readErr := body.Read(part.room())
		left -= int64(n)
		if n > 0 {
			u.pace.add(n)
			u.place.moved.Add(int64(n))
			u.place.state.Store(thinking)
			if _, err := c.writeWithin(part.take(n), u.stall); err != nil {
				return false, err
			}
		}
		if readErr == nil && (part.chunked || left > 0) {
			continue
		}
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return true, fmt.Errorf("reading request body: %w", readErr)
		}
		return u.finish(c, part.chunked, left)
	}
}

// prolong gives the client time for the next part, unless the upload was told to stop.
func (u *upload) prolong() bool {
	if !u.whole {
		u.place.state.Store(receiving)
	}
	u.deadline(u.pace.deadline()) // first, or it could undo the deadline that end sets
	if u.place.evicted.Load() {
		u.deadline(time.Unix(1, 0))
	}
	select {
	case <-u.stop:
		return false
	default:
		return true
	}
}

func (u *upload) finish(c *conn, chunked bool, left int64) (client bool, err error) {
	u.place.state.Store(thinking)
	// The deadline must not hit the read by which net/http notices that the client has left.
	u.deadline(time.Time{})
	if chunked {
		_, err = c.writeWithin([]byte("0\r\n\r\n"), u.stall)
		return false, err
	}
	if left > 0 {
		return true, fmt.Errorf("reading request body: %w", io.ErrUnexpectedEOF)
	}
	return false, nil
}

// part is a buffer that leaves room around the data for the framing of a chunk, so that both leave in
// one write.
type part struct {
	buf     []byte
	chunked bool
}

const (
	partLead  = 8 // hexadecimal length and line end
	partTrail = 2
)

func newPart(buf []byte, chunked bool) part { return part{buf: buf, chunked: chunked} }

func (p part) room() []byte { return p.buf[partLead : len(p.buf)-partTrail] }

// take returns what is to be sent for the n bytes read into room.
func (p part) take(n int) []byte {
	if !p.chunked {
		return p.buf[partLead : partLead+n]
	}
	var length [partLead]byte
	line := append(strconv.AppendInt(length[:0], int64(n), 16), "\r\n"...)
	start := partLead - len(line)
	copy(p.buf[start:], line)
	copy(p.buf[partLead+n:], "\r\n")
	return p.buf[start : partLead+n+partTrail]
}
