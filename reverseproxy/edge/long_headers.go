package edge

import (
	"errors"
	"time"
)

// A header may be long: browsers send all their cookies, and only a response can remove them. But only a few connections
// may read a long header at the same time; otherwise a client could fill the memory.
const (
	longHeader           = 64 << 10 // of HTTP/1.1
	longBlock            = 8 << 10  // of HTTP/2, compressed: it unpacks to much more
	maxLongHeaders       = 64
	maxClientLongHeaders = 8
)

// errLongHeaders ends a connection that sends a long header while too many others do.
var errLongHeaders = errors.New("too many long headers at once")

// addHeaderBytes counts n more bytes of the header that is being read, and reports whether reading may continue. A long
// header must be complete within headerTimeout.
func (c *rawConn) addHeaderBytes(n, most int) bool {
	c.headerSize += n
	if c.headerSize <= most || c.longTimer != nil {
		return true
	}
	if !c.tracker.beginLong(c) {
		return false
	}
	c.longTimer = time.AfterFunc(c.headerTimeout, func() { _ = c.Close() })
	return true
}

// endHeader marks that the header has been read.
func (c *rawConn) endHeader() {
	c.headerSize = 0
	if c.longTimer != nil {
		c.longTimer.Stop()
		c.longTimer = nil
		c.tracker.endLong(c)
	}
}

func (t *tracker) beginLong(c *rawConn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.longHeaders >= maxLongHeaders || c.client.longHeaders >= maxClientLongHeaders {
		return false
	}
	t.longHeaders++
	c.client.longHeaders++
	c.countedLong = true
	return true
}

func (t *tracker) endLong(c *rawConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLong(c)
}

// dropLong is called for every connection that closes.
func (t *tracker) dropLong(c *rawConn) {
	if c.countedLong {
		c.countedLong = false
		t.longHeaders--
		c.client.longHeaders--
	}
}

// headerBlocks parses the bytes read from an HTTP/2 connection to measure its header blocks.
type headerBlocks struct {
	frameParser
	preface int // bytes of the client's preface that have passed
}

const (
	prefaceSize      = 24
	typeContinuation = 9
	flagEndHeaders   = 4
)

// read parses p and reports whether reading may continue.
func (b *headerBlocks) read(c *rawConn, p []byte) bool {
	if b.preface < prefaceSize {
		taken := min(prefaceSize-b.preface, len(p))
		b.preface += taken
		p = p[taken:]
	}
	for len(p) > 0 {
		if b.have < frameHead {
			taken := copy(b.head[b.have:], p)
			b.have += taken
			p = p[taken:]
			if b.have < frameHead {
				return true
			}
			b.left = int(b.head[0])<<16 | int(b.head[1])<<8 | int(b.head[2])
		}
		taken := min(b.left, len(p))
		b.left -= taken
		p = p[taken:]
		kind := b.head[3]
		header := kind == typeHeaders || kind == typeContinuation
		if header && !c.addHeaderBytes(taken, longBlock) {
			return false
		}
		if b.left > 0 {
			return true
		}
		b.have = 0
		if header && b.head[4]&flagEndHeaders != 0 {
			c.endHeader()
		}
	}
	return true
}
