package edge

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// recordSize is the plaintext of a full TLS record. A Write no larger than that is one record, hence
// one system call already.
const recordSize = 16 << 10

// maxGather bounds what one Write may have waiting before it goes out.
const maxGather = 256 << 10

var gatherBuffers = sync.Pool{New: func() any {
	buf := make([]byte, 0, 2*recordSize+1024)
	return &buf
}}

// rawConn lies under a tls.Conn. While gathering it collects what crypto/tls writes, record by record,
// and sends all of it at once. It also limits how long one write may stand still.
type rawConn struct {
	net.Conn
	remote  net.Addr
	timeout time.Duration
	tracker *tracker

	mu        sync.Mutex
	gathering int     // Writes in progress above, which may overlap
	pending   *[]byte // nil unless something waits
}

// RemoteAddr is the visitor's address, or a stand-in on sockets where there is none.
func (c *rawConn) RemoteAddr() net.Addr { return c.remote }

// Close also ends the tracking of the connection.
func (c *rawConn) Close() error {
	c.tracker.remove(c)
	return c.Conn.Close()
}

// Write sends p, or keeps a copy while a larger Write is in progress above.
func (c *rawConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gathering == 0 {
		return len(p), c.send(p)
	}
	if c.pending == nil {
		c.pending = gatherBuffers.Get().(*[]byte)
	}
	*c.pending = append(*c.pending, p...)
	if len(*c.pending) > maxGather {
		return len(p), c.flush()
	}
	return len(p), nil
}

func (c *rawConn) send(p []byte) error {
	if c.timeout > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return err
		}
	}
	_, err := c.Conn.Write(p)
	return err
}

func (c *rawConn) gather() {
	c.mu.Lock()
	c.gathering++
	c.mu.Unlock()
}

// release ends a gather and sends what waits, unless another Write is still gathering.
func (c *rawConn) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering--
	if c.gathering > 0 {
		return nil
	}
	return c.flush()
}

func (c *rawConn) flush() error {
	if c.pending == nil {
		return nil
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
	raw *rawConn
}

// Write gathers the records of one Write into one system call.
func (c *secureConn) Write(p []byte) (int, error) {
	if len(p) <= recordSize {
		return c.Conn.Write(p)
	}
	c.raw.gather()
	n, err := c.Conn.Write(p)
	if flushErr := c.raw.release(); err == nil && flushErr != nil {
		return 0, flushErr
	}
	return n, err
}
