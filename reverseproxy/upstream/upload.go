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

// lingerTimeout is how long a client may go on sending a body that nobody wants any more. Closing at once
// would have its kernel throw away the response we have sent.
const lingerTimeout = 5 * time.Second

var (
	// errNotRequested ends an upload whose body was never asked for, so that none is on its way.
	errNotRequested = errors.New("body was not asked for")
	// errAnswered ends an upload whose response is complete; the client may still be sending.
	errAnswered = errors.New("answered before the body was read")
)

var copyBuffers = sync.Pool{New: func() any {
	buf := make([]byte, bufferSize)
	return &buf
}}

// upload sends the body of one request while the exchange waits for the response.
type upload struct {
	control       *http.ResponseController
	stall         time.Duration // of the application
	answerTimeout time.Duration // of the application, once it has everything
	rate          rateBudget    // of the client
	place         *place
	whole         bool // the body has been taken in: nothing is read from the client

	proceed      chan struct{} // closed when the body may be read
	once         sync.Once
	stop         chan struct{} // closed when the body is no longer needed
	done         chan struct{}
	err          error       // why it ended, nil when all was sent; valid after done
	clientFailed atomic.Bool // it ended because of the client

	mu       sync.Mutex
	answered bool // the application has begun to answer
}

// startUpload starts to send the body. If the client expects 100 Continue, sending waits until allow is called.
func (x *exchange) startUpload(c *conn) (*upload, error) {
	opts := &x.transport.opts
	u := &upload{
		control: x.place.control, stall: opts.StallTimeout, answerTimeout: opts.HeaderTimeout, rate: opts.rateBudget(), place: &x.place,
		whole: x.buffer.whole, proceed: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if !x.buffer.whole {
		// By default net/http reads the rest of a body before it sends a response. HTTP/2 does not, and does not
		// support the call.
		_ = u.control.EnableFullDuplex()
	}
	if x.buffer.whole || !expectsContinue(x.r) {
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
		if u.err = u.awaitProceed(); u.err != nil {
			return
		}
		var client bool
		if client, u.err = u.send(c, x); client {
			// The application waits for a body that never ends, and we for its answer.
			u.clientFailed.Store(true)
			_ = c.Close()
			return
		}
		u.startAnswerTimer(c)
	}()
	return u, nil
}

// answerBegan marks that the application has begun to answer, so that startAnswerTimer sets no deadline.
func (u *upload) answerBegan() {
	if u == nil {
		return
	}
	u.mu.Lock()
	u.answered = true
	u.mu.Unlock()
}

// startAnswerTimer sets the deadline for the application's answer. An application that stopped reading the body gets
// less time.
func (u *upload) startAnswerTimer(c *conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.answered {
		return
	}
	limit := u.answerTimeout
	if u.err != nil {
		limit = min(limit, lingerTimeout)
	}
	// Setting a deadline fails on a closed connection only, which its reader notices.
	_ = c.SetReadDeadline(time.Now().Add(limit))
}

// endAfterPanic ends the exchange after a panic in the upload.
func (u *upload) endAfterPanic(c *conn) {
	if errors.Is(u.err, recovery.ErrPanic) {
		slog.Error("panic while sending a request body", "error", u.err)
		u.clientFailed.Store(true)
		_ = c.Close()
	}
}

// allow lets the body go.
func (u *upload) allow() { u.once.Do(func() { close(u.proceed) }) }

func (u *upload) awaitProceed() error {
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
	case <-u.proceed: // the client has begun to send: its body must be read and discarded
		return nil
	default:
		return errNotRequested
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

// failedByClient reports whether the upload ended because of the client.
func (u *upload) failedByClient() bool { return u != nil && u.clientFailed.Load() }

// end stops the upload and waits for it: the handler must not return before. If the response was sent, an HTTP/1.1 client
// gets some time to notice it.
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
	u.deadline(time.Now().Add(lingerTimeout))
	<-u.done
	if !errors.Is(u.err, errNotRequested) {
		u.deadline(time.Now().Add(lingerTimeout))
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// deadline limits reads of the body. Where that is not supported, the server's own limits apply.
func (u *upload) deadline(when time.Time) {
	if !u.whole {
		_ = u.control.SetReadDeadline(when)
	}
}

// send copies the body and reports whether a failure is the client's.
func (u *upload) send(c *conn, x *exchange) (client bool, err error) {
	pooled := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(pooled)
	part := newChunkBuffer(*pooled, chunked(x.r))
	left, body := x.r.ContentLength, io.Reader(bufferedReader{in: &x.buffer, rest: x.r.Body})
	for {
		if !u.extendDeadline() {
			return false, errAnswered
		}
		n, readErr := body.Read(part.room())
		left -= int64(n)
		if n > 0 {
			u.rate.add(n)
			u.place.transferred.Add(int64(n))
			u.place.state.Store(awaitingApp)
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

// extendDeadline sets the read deadline for the next part and reports whether the upload may continue.
func (u *upload) extendDeadline() bool {
	if !u.whole {
		u.place.state.Store(receiving)
	}
	u.deadline(u.rate.deadline()) // first, or it could undo the deadline that end sets
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
	u.place.state.Store(awaitingApp)
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

// chunkBuffer is a buffer with room for the framing of a chunk around the data, so that both are sent in one write.
type chunkBuffer struct {
	buf     []byte
	chunked bool
}

const (
	chunkLead  = 8 // hexadecimal length and line end
	chunkTrail = 2
)

func newChunkBuffer(buf []byte, chunked bool) chunkBuffer {
	return chunkBuffer{buf: buf, chunked: chunked}
}

func (p chunkBuffer) room() []byte { return p.buf[chunkLead : len(p.buf)-chunkTrail] }

// take returns the bytes to send for the n bytes read into room.
func (p chunkBuffer) take(n int) []byte {
	if !p.chunked {
		return p.buf[chunkLead : chunkLead+n]
	}
	var length [chunkLead]byte
	line := append(strconv.AppendInt(length[:0], int64(n), 16), "\r\n"...)
	start := chunkLead - len(line)
	copy(p.buf[start:], line)
	copy(p.buf[chunkLead+n:], "\r\n")
	return p.buf[start : chunkLead+n+chunkTrail]
}
