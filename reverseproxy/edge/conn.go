package edge

import (
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// recordSize is the plaintext size of a full TLS record. A Write of at most that size is one record and therefore
	// one system call.
	recordSize = 16 << 10
	// maxBuffered bounds the bytes that one Write may buffer before they are sent.
	maxBuffered = 256 << 10
	// maxCoalesced bounds the bytes that wait for the rest of their response.
	maxCoalesced = 2 * recordSize
	// coalesceDelay bounds that wait when several responses share a connection (HTTP/2): a response whose client has
	// closed its window must not delay the others. A connection with one response at a time needs no such limit,
	// because handlers flush before they wait, and a timer for each response would be expensive.
	coalesceDelay = time.Millisecond
)

var writeBuffers = sync.Pool{New: func() any {
	buf := make([]byte, 0, 2*recordSize+1024)
	return &buf
}}

// rawConn is the connection below a tls.Conn. crypto/tls writes record by record, and servers write header, body and
// end of a response separately; each system call costs more than everything else. rawConn therefore buffers
// consecutive writes and sends them together. It also limits how long one write may make no progress.
type rawConn struct {
	net.Conn
	remote  net.Addr
	timeout time.Duration
	tracker *tracker
	client  *client
	caller  *Caller // the caller on a SocketListener, else nil

	refusal       func(status int) []byte // renders the page for a request that net/http cannot read
	headerTimeout time.Duration
	serving       atomic.Bool  // a handler runs, or its response is being sent
	lastProgress  atomic.Int64 // time of the last read or write, Unix nanoseconds
	headerSize    int          // of the header being read; these two belong to the reader
	longTimer     *time.Timer  // ends a long one
	countedLong   bool         // as having a long one; guarded by the tracker

	idleSince     atomic.Int64 // since when no request is in flight, Unix nanoseconds; 0 while one is
	ownDeadline   atomic.Bool  // a caller has set a deadline for writes
	writeDeadline atomic.Int64 // otherwise the deadline in force, Unix nanoseconds

	mu         sync.Mutex
	writes     int     // Writes in progress above, which may overlap
	responses  int     // responses that are being written
	shared     bool    // several responses may be in progress: HTTP/2
	pending    *[]byte // nil unless something waits
	flushTimer *time.Timer
	timerArmed bool
	writeErr   error // the first failure of a write
}

// RemoteAddr is the visitor's address, or a stand-in on sockets where there is none.
func (c *rawConn) RemoteAddr() net.Addr { return c.remote }

// Read reads from the visitor. It fails if an HTTP/1.1 header gets long while too many others are being read.
func (c *rawConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n <= 0 {
		return n, err
	}
	c.lastProgress.Store(time.Now().UnixNano())
	switch {
	case c.shared:
	case c.serving.Load():
		c.endHeader()
	case !c.addHeaderBytes(n, longHeader):
		return 0, errLongHeaders
	}
	return n, err
}

// replaceRefusal returns p, or a page if p is a bare error response of net/http, which writes one only while no handler
// runs.
func (c *rawConn) replaceRefusal(p []byte) []byte {
	const head, length = "HTTP/1.1 ", len("HTTP/1.1 400")
	if c.refusal == nil || len(p) < length || p[0] != 'H' || c.serving.Load() || string(p[:len(head)]) != head {
		return p
	}
	status, err := strconv.Atoi(string(p[len(head):length]))
	if err != nil || status < 400 {
		return p
	}
	return c.refusal(status)
}

// Close flushes the buffer and removes the connection from the tracker.
func (c *rawConn) Close() error {
	c.tracker.remove(c)
	if c.mu.TryLock() { // otherwise a write is in progress, which closing interrupts
		_ = c.flush() // nobody is left to handle the error
		c.mu.Unlock()
	}
	return c.Conn.Close()
}

// SetWriteDeadline replaces the deadline that rawConn sets by itself. A caller that sets one is about to close the
// connection or to take it over, so buffered bytes are sent at once.
func (c *rawConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		if c.ownDeadline.Swap(false) {
			c.writeDeadline.Store(0)
		}
		return nil
	}
	if c.mu.TryLock() { // otherwise a write is in progress, which the new deadline may interrupt
		c.responses = 0
		_ = c.flush() // the next write returns the error
		c.mu.Unlock()
	}
	c.ownDeadline.Store(true)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is used by handlers that take the connection over.
func (c *rawConn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// Write sends p, or buffers it while more is expected.
func (c *rawConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes == 0 && c.responses == 0 && c.pending == nil {
		return len(p), c.send(c.replaceRefusal(p))
	}
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	if c.pending == nil {
		c.pending = writeBuffers.Get().(*[]byte)
	}
	*c.pending = append(*c.pending, p...)
	return len(p), c.flushIfReady()
}

// flushIfReady sends the buffer unless more is expected.
func (c *rawConn) flushIfReady() error {
	switch n := c.buffered(); {
	case n == 0:
		return nil
	case c.writes > 0 && n <= maxBuffered:
		return nil
	case c.responses > 0 && n <= maxCoalesced:
		if c.shared {
			c.armTimer()
		}
		return nil
	}
	return c.flush()
}

func (c *rawConn) buffered() int {
	if c.pending == nil {
		return 0
	}
	return len(*c.pending)
}

func (c *rawConn) armTimer() {
	switch {
	case c.timerArmed:
		return
	case c.flushTimer == nil:
		c.flushTimer = time.AfterFunc(coalesceDelay, c.flushLate)
	default:
		c.flushTimer.Reset(coalesceDelay)
	}
	c.timerArmed = true
}

// flushLate runs when coalesceDelay is over and sends the buffer without waiting for responses in progress.
func (c *rawConn) flushLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timerArmed = false
	c.responses = 0
	_ = c.flushIfReady() // the next write returns the error
}

func (c *rawConn) send(p []byte) error {
	if c.writeErr != nil {
		return c.writeErr
	}
	if c.timeout > 0 && !c.ownDeadline.Load() {
		// Moving a deadline costs more than reading the clock.
		now := time.Now()
		if left := time.Duration(c.writeDeadline.Load() - now.UnixNano()); left < c.timeout*3/4 {
			c.writeDeadline.Store(now.Add(c.timeout).UnixNano())
			if c.writeErr = c.Conn.SetWriteDeadline(now.Add(c.timeout)); c.writeErr != nil {
				return c.writeErr
			}
		}
	}
	var n int
	if n, c.writeErr = c.Conn.Write(p); n > 0 {
		c.lastProgress.Store(time.Now().UnixNano())
	}
	return c.writeErr
}

func (c *rawConn) beginWrite() {
	c.mu.Lock()
	c.writes++
	c.mu.Unlock()
}

// endWrite ends what beginWrite began and sends the buffer unless more is expected.
func (c *rawConn) endWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes--
	return c.flushIfReady()
}

// beginResponse marks that a response is being written, so that its parts are buffered.
func (c *rawConn) beginResponse() {
	c.mu.Lock()
	c.responses++
	c.mu.Unlock()
}

// endResponse marks that a response has ended, or that what is buffered of it must be sent.
func (c *rawConn) endResponse() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.responses = max(c.responses-1, 0)
	return c.flushIfReady()
}

// flush sends the buffer, whatever is in progress.
func (c *rawConn) flush() error {
	if c.pending == nil {
		return nil
	}
	if c.timerArmed {
		c.timerArmed = !c.flushTimer.Stop()
	}
	buf := c.pending
	c.pending = nil
	err := c.send(*buf)
	if cap(*buf) <= maxBuffered {
		*buf = (*buf)[:0]
		writeBuffers.Put(buf)
	}
	return err
}

// secureConn wraps the tls.Conn and marks where a Write begins and ends.
type secureConn struct {
	*tls.Conn
	raw    *rawConn
	frames *frameParser // of HTTP/2, else nil
	blocks headerBlocks // that come by HTTP/2
}

// Read reads from the visitor. It fails if an HTTP/2 header gets long while too many others are being read.
func (c *secureConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.frames != nil && n > 0 && !c.blocks.read(c.raw, p[:n]) {
		return 0, errLongHeaders
	}
	return n, err
}

// Write sends all TLS records of one call with one system call.
func (c *secureConn) Write(p []byte) (int, error) {
	ended := 0
	if c.frames != nil {
		ended = c.frames.countEnds(p)
	} else if page := c.raw.replaceRefusal(p); len(page) > 0 && &page[0] != &p[0] {
		_, err := c.write(page)
		return len(p), err
	}
	n, err := c.write(p)
	for range ended {
		if flushErr := c.raw.endResponse(); err == nil && flushErr != nil {
			return 0, flushErr
		}
	}
	return n, err
}

func (c *secureConn) write(p []byte) (int, error) {
	if len(p) <= recordSize {
		return c.Conn.Write(p)
	}
	c.raw.beginWrite()
	n, err := c.Conn.Write(p)
	if flushErr := c.raw.endWrite(); err == nil && flushErr != nil {
		return 0, flushErr
	}
	return n, err
}
