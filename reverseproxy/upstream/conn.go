package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"syscall"
	"time"
)

const bufferSize = 32 << 10

// conn is one connection to an application. Between requests no goroutine belongs to it.
type conn struct {
	net.Conn
	br        *bufio.Reader
	out       []byte // scratch for the head of a request
	allow     int64  // bytes that may still be read, while limited
	limit     bool
	reused    bool
	idleSince time.Time // when it became idle

	readLimit, writeLimit time.Time // deadlines in force
}

// errHeaderTooLarge ends the reading of a response's header.
var errHeaderTooLarge = errors.New("header too large")

func newConn(nc net.Conn) *conn {
	c := &conn{Conn: nc}
	c.br = bufio.NewReaderSize(c, bufferSize)
	return c
}

// Read reads from the application. While limited it stops at the limit, since a hostile application
// could otherwise fill our memory with a header without end.
func (c *conn) Read(p []byte) (int, error) {
	if !c.limit {
		return c.Conn.Read(p)
	}
	if c.allow <= 0 {
		return 0, errHeaderTooLarge
	}
	n, err := c.Conn.Read(p)
	c.allow -= int64(n)
	return n, err
}

func (c *conn) limitReading(n int64) { c.limit, c.allow = true, n }
func (c *conn) unlimit()             { c.limit = false }

// CloseWrite half-closes the connection: the application sees the end of the input.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// reusable reports whether an idle connection is open and has no unread bytes. Bytes that an application sends without a
// request (such as "408 Request Timeout") would be taken for the response to the next request.
func (c *conn) reusable() bool {
	c.readLimit = time.Time{}
	if err := c.SetReadDeadline(time.Time{}); err != nil { // one that has passed would be taken for an answer
		return false
	}
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = rc.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, errno := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(errno, syscall.EAGAIN)
		return true
	})
	return err == nil && quiet
}

// bufferContains reports whether text lies in the read buffer.
func (c *conn) bufferContains(text []byte) bool {
	data, err := c.br.Peek(c.br.Buffered())
	return err == nil && bytes.Contains(data, text)
}

// writeWithin writes p; limit bounds the time.
func (c *conn) writeWithin(p []byte, limit time.Duration) (n int, err error) {
	if c.writeLimit, err = extendDeadline(c.writeLimit, limit, c.SetWriteDeadline); err != nil {
		return 0, err
	}
	return c.Write(p)
}

// readWithin limits the reads that follow.
func (c *conn) readWithin(limit time.Duration) (err error) {
	c.readLimit, err = extendDeadline(c.readLimit, limit, c.SetReadDeadline)
	return err
}

// unlimitedReads lets the reads that follow wait until somebody else sets a limit.
func (c *conn) unlimitedReads() error {
	c.readLimit = time.Time{}
	return c.SetReadDeadline(time.Time{})
}

// extendDeadline moves a deadline unless at least three quarters of it are left: moving it costs more than copying a few
// bytes.
func extendDeadline(old time.Time, limit time.Duration, set func(time.Time) error) (time.Time, error) {
	now := time.Now()
	if left := old.Sub(now); left <= limit && left > limit*3/4 {
		return old, nil
	}
	return now.Add(limit), set(now.Add(limit))
}
