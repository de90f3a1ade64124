package edge

import (
	"errors"
	"time"
)

// A header may be long, since browsers send all the cookies they hold and only an answer can cure that. But few
// connections may be in the midst of a long one at the same time, or a client could fill the memory with them.
const (
	longHead       = 64 << 10 // as it is sent by HTTP/1.1
	longBlock      = 8 << 10  // compressed by HTTP/2, which unpacks to much more
	maxLongHeads   = 64
	maxClientHeads = 8
)

// errLongHead ends a connection that sends a long header while too many others do.
var errLongHead = errors.New("too many long headers at once")

// head counts n more bytes of the header that is being read, and reports whether it may go on. The header must end
// in time.
func (c *rawConn) head(n, most int) bool {
	c.headSize += n
	if c.headSize <= most || c.long != nil {
		return true
	}
	if !c.tracker.beginLong(c) {
		return false
	}
	c.long = time.AfterFunc(c.headTimeout, func() { _ = c.Close() })
	return true
}

// headEnded says that the header has been read.
func (c *rawConn) headEnded() {
	c.headSize = 0
	if c.long != nil {
		c.long.Stop()
		c.long = nil
		c.tracker.endLong(c)
	}
}

func (t *tracker) beginLong(c *rawConn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.long >= maxLongHeads || c.client.long >= maxClientHeads {
		return false
	}
	t.long++
	c.client.long++
	c.counted = true
	return true
}

func (t *tracker) endLong(c *rawConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLong(c)
}

// dropLong is called for every connection that goes.
func (t *tracker) dropLong(c *rawConn) {
	if c.counted {
		c.counted = false
		t.long--
		c.client.long--
	}
}

// blocks follows what is read from an HTTP/2 connection and measures its header blocks.
type blocks struct {
	frames
	preface int // bytes of the client's preface that have passed
}

const (
	prefaceSize      = 24
	typeContinuation = 9
	flagEndHeaders   = 4
)

// follow reports whether what has been read may be taken.
func (b *blocks) follow(c *rawConn, p []byte) bool {
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
		if header && !c.head(taken, longBlock) {
			return false
		}
		if b.left > 0 {
			return true
		}
		b.have = 0
		if header && b.head[4]&flagEndHeaders != 0 {
			c.headEnded()
		}
	}
	return true
}
