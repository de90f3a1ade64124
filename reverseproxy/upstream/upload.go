package upstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
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
	gap     time.Duration // of the client

	proceed chan struct{} // closed when the body may be read
	once    sync.Once
	stop    chan struct{} // closed when the body is wanted no more
	done    chan struct{}
	err     error       // why it ended, nil when all was sent; valid after done
	gone    atomic.Bool // it ended because of the client
}

// startUpload begins to send the body of r, or, if its client asked for leave to send it, waits until
// allow is called.
func (t *Transport) startUpload(c *conn, w http.ResponseWriter, r *http.Request) *upload {
	u := &upload{
		control: http.NewResponseController(w), stall: t.opts.StallTimeout, gap: t.opts.ClientTimeout,
		proceed: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
	// By default net/http swallows the rest of a body before it sends a response. Where that cannot
	// be switched off (HTTP/2) it does not do so.
	_ = u.control.EnableFullDuplex()
	if !strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		u.allow()
	}
	go func() {
		defer close(u.done)
		defer u.endAfterPanic(c)
		defer recovery.Error(&u.err)
		if u.err = u.await(); u.err != nil {
			return
		}
		var client bool
		if client, u.err = u.send(c, r); client {
			// The application waits for a body that never ends, and we for its answer.
			u.gone.Store(true)
			_ = c.Close()
		}
	}()
	return u
}

// endAfterPanic ends the exchange that a fault of ours cut short.
func (u *upload) endAfterPanic(c *conn) {
	if errors.Is(u.err, recovery.ErrPanic) {
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
func (u *upload) deadline(when time.Time) { _ = u.control.SetReadDeadline(when) }

// send copies the body and reports whether a failure is the client's.
func (u *upload) send(c *conn, r *http.Request) (client bool, err error) {
	pooled := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(pooled)
	part := newPart(*pooled, chunked(r))
	left := r.ContentLength
	for {
		if !u.prolong() {
			return false, errAnswered
		}
		n, readErr := r.Body.Read(part.room())
		left -= int64(n)
		if n > 0 {
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
	u.deadline(time.Now().Add(u.gap)) // first, or it could undo the deadline that end sets
	select {
	case <-u.stop:
		return false
	default:
		return true
	}
}

func (u *upload) finish(c *conn, chunked bool, left int64) (client bool, err error) {
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
