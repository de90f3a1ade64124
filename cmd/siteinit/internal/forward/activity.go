package forward

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Activity records, for each site, when it last sent something to the database server and whether an answer has begun.
// When the server dies, this shows which sites can have caused it. It reads no statement: it recognises two commands that
// the server never answers, and counts bytes.
type Activity struct {
	mu    sync.Mutex
	sites map[string]*siteActivity
}

type siteActivity struct {
	waiting int       // connections with a statement sent and no answer begun
	sent    time.Time // when something was last sent, or a connection ended that waited
	ended   time.Time // when a connection last ended that waited
	size    int64     // bytes sent since the last answer, on the connection that sent last
}

// SiteActivity is what is known of one site when the server died.
type SiteActivity struct {
	Site    string `json:"site"`
	Waiting bool   `json:"waiting"` // a statement was sent and no answer had begun
	SentMS  int64  `json:"sent_ms"` // milliseconds since it last sent something
	Size    int64  `json:"size"`    // bytes of that, at least
}

const (
	// activityWindow is how long ago a site may have sent something to be in a snapshot.
	activityWindow = time.Minute
	// endedWindow is for how long a connection counts as waiting after its end: the connections end before it is known
	// that the server did.
	endedWindow = 5 * time.Second
)

// Snapshot returns the sites that wait for an answer or sent something within the last minute.
func (a *Activity) Snapshot(now time.Time) []SiteActivity {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []SiteActivity
	for name, s := range a.sites {
		ago := max(0, now.Sub(s.sent))
		if s.waiting == 0 && ago > activityWindow {
			continue
		}
		waiting := s.waiting > 0 || now.Sub(s.ended) < endedWindow
		out = append(out, SiteActivity{Site: name, Waiting: waiting, SentMS: ago.Milliseconds(), Size: s.size})
	}
	slices.SortFunc(out, func(a, b SiteActivity) int { return cmp.Compare(a.Site, b.Site) })
	return out
}

// Handler returns a handler that carries a site's connections to the server and records when they are used.
func (a *Activity) Handler(site string, to Address, report func(error)) Handler {
	return func(ctx context.Context, conn net.Conn) {
		upstream, err := dialQueued(ctx, to)
		if err != nil {
			Reset(conn)
			report(fmt.Errorf("dialling %s: %w", to.Address, err))
			return
		}
		defer context.AfterFunc(ctx, func() { _ = upstream.Close() })()
		c := a.open(site)
		defer c.end()
		var wait sync.WaitGroup
		wait.Go(func() { finish(upstream, conn, copyChunks(upstream, conn, c.sent)) })
		wait.Go(func() { finish(conn, upstream, copyChunks(conn, upstream, c.answered)) })
		wait.Wait()
		_ = conn.Close()
		_ = upstream.Close()
	}
}

// connActivity is one connection of a site.
type connActivity struct {
	all     *Activity
	site    *siteActivity
	waiting bool
	size    int64
}

func (a *Activity) open(site string) *connActivity {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sites == nil {
		a.sites = map[string]*siteActivity{}
	}
	if a.sites[site] == nil {
		a.sites[site] = &siteActivity{}
	}
	return &connActivity{all: a, site: a.sites[site]}
}

// sent is called before the server gets the bytes.
func (c *connActivity) sent(chunk []byte) {
	if neverAnswered(chunk) {
		return
	}
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if !c.waiting {
		c.waiting, c.size = true, 0
		c.site.waiting++
	}
	c.size += int64(len(chunk))
	c.site.sent, c.site.size = time.Now(), c.size
}

func (c *connActivity) answered([]byte) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.stopWaiting()
}

// end keeps in mind that a connection waited to its end: a client that leaves does not stop its statement.
func (c *connActivity) end() {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.waiting {
		c.site.ended = time.Now()
		c.site.sent = c.site.ended
	}
	c.stopWaiting()
}

func (c *connActivity) stopWaiting() {
	if c.waiting {
		c.waiting = false
		c.site.waiting--
	}
}

var (
	commandQuit  = []byte{1, 0, 0, 0, 0x01}
	commandClose = []byte{5, 0, 0, 0, 0x19} // of a prepared statement, whose number follows
)

// neverAnswered reports whether the chunk is nothing but whole commands that the server never answers. The end of a longer
// command can look like that, but then its beginning was recorded before.
func neverAnswered(chunk []byte) bool {
	for len(chunk) > 0 {
		switch {
		case bytes.HasPrefix(chunk, commandQuit):
			chunk = chunk[len(commandQuit):]
		case bytes.HasPrefix(chunk, commandClose) && len(chunk) >= len(commandClose)+4:
			chunk = chunk[len(commandClose)+4:]
		default:
			return false
		}
	}
	return true
}

// chunks are the buffers of copyChunks. An idle connection has none.
var chunks = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// copyChunks copies until the end of from. It calls note before it writes what it read.
func copyChunks(to, from net.Conn, note func([]byte)) error {
	socket, ok := from.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	for {
		if err := copyChunk(to, raw, note); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// copyChunk takes a buffer only once there is something to read.
func copyChunk(to io.Writer, raw syscall.RawConn, note func([]byte)) error {
	var buffer *[16 << 10]byte
	var n int
	var failed error
	waited := raw.Read(func(fd uintptr) bool {
		buffer = chunks.Get().(*[16 << 10]byte)
		for {
			n, failed = unix.Read(int(fd), buffer[:])
			if !errors.Is(failed, unix.EINTR) {
				break
			}
		}
		if errors.Is(failed, unix.EAGAIN) {
			chunks.Put(buffer)
			buffer = nil
			return false
		}
		return true
	})
	if buffer != nil {
		defer chunks.Put(buffer)
	}
	switch {
	case waited != nil:
		return waited
	case failed != nil:
		return failed
	case n == 0:
		return io.EOF
	}
	note(buffer[:n])
	_, err := to.Write(buffer[:n])
	return err
}
