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
	// recordSize is the plaintext of a full TLS record. A Write no larger than that is one record, hence
	// one system call already.
	recordSize = 16 << 10
	// maxGather bounds what one Write may have waiting before it goes out.
	maxGather = 256 << 10
	// maxHeld bounds what waits for the rest of its response.
	maxHeld = 2 * recordSize
	// heldFor is how long it waits at most where several responses share a connection: one whose client
	// takes no more must not hold up the others. Handlers flush before they wait for anything, so that one
	// alone needs no such limit, and a timer for each costs more than it looks.
	heldFor = time.Millisecond
)

var gatherBuffers = sync.Pool{New: func() any {
	buf := make([]byte, 0, 2*recordSize+1024)
	return &buf
}}

// rawConn lies under a tls.Conn. crypto/tls writes record by record, and servers write header, body and
// end of a response one by one; each system call costs more than all the rest. So it collects what
// belongs together and sends it at once. It also limits how long one write may stand still.
type rawConn struct {
	net.Conn
	remote  net.Addr
	timeout time.Duration
	tracker *tracker
	client  *client
	caller  *Caller // who came by a door, else nil

	refusal     func(status int) []byte // says what net/http says to those whose request it cannot read
	headTimeout time.Duration
	serving     atomic.Bool  // a handler is at work, or its answer is being sent
	progress    atomic.Int64 // when something last came or went, Unix nanoseconds
	headSize    int          // of the header being read; these two belong to the reader
	long        *time.Timer  // ends a long one
	counted     bool         // as having a long one; guarded by the tracker

	rest     atomic.Int64 // since when no request is in flight, Unix nanoseconds; 0 while one is
	explicit atomic.Bool  // somebody above set a deadline for writes
	limit    atomic.Int64 // else this is the one in force, Unix nanoseconds

	mu        sync.Mutex
	gathering int     // Writes in progress above, which may overlap
	held      int     // responses of which more is about to come
	shared    bool    // several responses may be in progress: HTTP/2
	pending   *[]byte // nil unless something waits
	late      *time.Timer
	armed     bool
	broken    error // the first failure of a write
}

// RemoteAddr is the visitor's address, or a stand-in on sockets where there is none.
func (c *rawConn) RemoteAddr() net.Addr { return c.remote }

// Read reads from the visitor. A header of HTTP/1.1 that gets long has to be one of few.
func (c *rawConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n <= 0 {
		return n, err
	}
	c.progress.Store(time.Now().UnixNano())
	switch {
	case c.shared:
	case c.serving.Load():
		c.headEnded()
	case !c.head(n, longHead):
		return 0, errLongHead
	}
	return n, err
}

// refused is p, or in the place of a bare refusal of net/http a page. It writes one only where no handler is at work.
func (c *rawConn) refused(p []byte) []byte {
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

// Close sends what waits, and ends the tracking of the connection.
func (c *rawConn) Close() error {
	c.tracker.remove(c)
	if c.mu.TryLock() { // else somebody sends, and is to be interrupted
		_ = c.flush() // nobody is left to tell
		c.mu.Unlock()
	}
	return c.Conn.Close()
}

// SetWriteDeadline: without one from above, ours holds. Whoever sets one is about to close or to take the
// connection over, so nothing waits any more.
func (c *rawConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		if c.explicit.Swap(false) {
			c.limit.Store(0)
		}
		return nil
	}
	if c.mu.TryLock() { // else somebody sends, and may be interrupted
		c.held = 0
		_ = c.flush() // the next write tells
		c.mu.Unlock()
	}
	c.explicit.Store(true)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is for those who take a connection over.
func (c *rawConn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// Write sends p, or keeps a copy while more is about to come.
func (c *rawConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gathering == 0 && c.held == 0 && c.pending == nil {
		return len(p), c.send(c.refused(p))
	}
	if c.broken != nil {
		return 0, c.broken
	}
	if c.pending == nil {
		c.pending = gatherBuffers.Get().(*[]byte)
	}
	*c.pending = append(*c.pending, p...)
	return len(p), c.maybeFlush()
}

// maybeFlush sends what waits unless there is a reason to wait.
func (c *rawConn) maybeFlush() error {
	switch n := c.waiting(); {
	case n == 0:
		return nil
	case c.gathering > 0 && n <= maxGather:
		return nil
	case c.held > 0 && n <= maxHeld:
		if c.shared {
			c.arm()
		}
		return nil
	}
	return c.flush()
}

func (c *rawConn) waiting() int {
	if c.pending == nil {
		return 0
	}
	return len(*c.pending)
}

func (c *rawConn) arm() {
	switch {
	case c.armed:
		return
	case c.late == nil:
		c.late = time.AfterFunc(heldFor, c.expire)
	default:
		c.late.Reset(heldFor)
	}
	c.armed = true
}

// expire sends what has waited too long. Responses in progress are not waited for any more.
func (c *rawConn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	c.held = 0
	_ = c.maybeFlush() // the next write tells
}

func (c *rawConn) send(p []byte) error {
	if c.broken != nil {
		return c.broken
	}
	if c.timeout > 0 && !c.explicit.Load() {
		// Moving a deadline costs more than a look at the clock.
		now := time.Now()
		if left := time.Duration(c.limit.Load() - now.UnixNano()); left < c.timeout*3/4 {
			c.limit.Store(now.Add(c.timeout).UnixNano())
			if c.broken = c.Conn.SetWriteDeadline(now.Add(c.timeout)); c.broken != nil {
				return c.broken
			}
		}
	}
	var n int
	if n, c.broken = c.Conn.Write(p); n > 0 {
		c.progress.Store(time.Now().UnixNano())
	}
	return c.broken
}

func (c *rawConn) gather() {
	c.mu.Lock()
	c.gathering++
	c.mu.Unlock()
}

// release ends a gather and sends what waits, unless there is a reason to wait.
func (c *rawConn) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering--
	return c.maybeFlush()
}

// hold announces that a response is being written.
func (c *rawConn) hold() {
	c.mu.Lock()
	c.held++
	c.mu.Unlock()
}

// settle says that a response has ended, or that what there is of it shall not wait.
func (c *rawConn) settle() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = max(c.held-1, 0)
	return c.maybeFlush()
}

// flush sends what waits, whatever is in progress.
func (c *rawConn) flush() error {
	if c.pending == nil {
		return nil
	}
	if c.armed {
		c.armed = !c.late.Stop()
	}
	buf := c.pending
	c.pending = nil
	err := c.send(*buf)
	if cap(*buf) <= maxGather {
		*buf = (*buf)[:0]
		gatherBuffers.Put(buf)
	}
	return err
}

// secureConn lies above the tls.Conn and marks where a Write begins and ends.
type secureConn struct {
	*tls.Conn
	raw    *rawConn
	frames *frames // of HTTP/2, else nil
	blocks blocks  // that come by HTTP/2
}

// Read reads what the visitor sends. A header of HTTP/2 that gets long has to be one of few.
func (c *secureConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.frames != nil && n > 0 && !c.blocks.follow(c.raw, p[:n]) {
		return 0, errLongHead
	}
	return n, err
}

// Write gathers the records of one Write into one system call.
func (c *secureConn) Write(p []byte) (int, error) {
	ended := 0
	if c.frames != nil {
		ended = c.frames.ended(p)
	} else if page := c.raw.refused(p); len(page) > 0 && &page[0] != &p[0] {
		_, err := c.write(page)
		return len(p), err
	}
	n, err := c.write(p)
	for range ended {
		if settled := c.raw.settle(); err == nil && settled != nil {
			return 0, settled
		}
	}
	return n, err
}

func (c *secureConn) write(p []byte) (int, error) {
	if len(p) <= recordSize {
		return c.Conn.Write(p)
	}
	c.raw.gather()
	n, err := c.Conn.Write(p)
	if released := c.raw.release(); err == nil && released != nil {
		return 0, released
	}
	return n, err
}
