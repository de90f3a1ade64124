package egress

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"chatiere/reverseproxy/recovery"
)

const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// tunnel copies bytes both ways. The end of one direction is forwarded as a
// half-close; an error, or inactivity in both directions, ends both.
type tunnel struct {
	client        net.Conn
	early         *bufio.Reader // bytes that the client sent together with its request
	server        net.Conn
	idle          time.Duration
	waitBandwidth func(bytes int) error // waits for the site's bandwidth; nil: no limit
	name          string                // the server name that a TLS client must send
	requireTLS    bool                  // the client must send TLS
	serverName    string                // the name that it sent; valid when run has returned

	sent, received atomic.Int64
	lastActive     atomic.Int64 // when bytes last moved, Unix nanoseconds
}

// run copies until both directions have ended. It calls opened once the opening is
// accepted, and returns the fault if it is not.
func (t *tunnel) run(opened func()) (fault error) {
	t.touch()
	if !t.requireTLS {
		opened()
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		var err error
		if fault, err = t.checkOpeningRecovered(); fault == nil && t.requireTLS {
			opened()
		}
		t.direction(t.server, t.client, &t.sent, errors.Join(fault, err))
	})
	wait.Go(func() { t.direction(t.client, t.server, &t.received, nil) })
	wait.Wait()
	_ = t.client.Close()
	_ = t.server.Close()
	return fault
}

// checkOpeningRecovered turns a panic into a fault of the client, whose bytes caused it.
func (t *tunnel) checkOpeningRecovered() (fault, err error) {
	defer recovery.Error(&fault)
	return t.checkOpening()
}

// direction copies one way, unless err is set.
func (t *tunnel) direction(to, from net.Conn, count *atomic.Int64, err error) {
	if err == nil {
		err = t.copyRecovered(to, from, count)
	}
	if err == nil {
		err = closeWrite(to)
	}
	if errors.Is(err, recovery.ErrPanic) {
		slog.Error("panic in a tunnel", "error", err)
	}
	if err != nil {
		_ = to.Close()
		_ = from.Close()
	}
}

func (t *tunnel) copyRecovered(to, from net.Conn, count *atomic.Int64) (err error) {
	defer recovery.Error(&err)
	return t.copy(to, from, count)
}

func (t *tunnel) copy(to, from net.Conn, count *atomic.Int64) error {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	for {
		n, err := t.read(from, buffer[:])
		if n > 0 {
			if err := t.write(to, buffer[:n], count); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// read waits for bytes, for as long as the other direction is active.
func (t *tunnel) read(from net.Conn, buffer []byte) (int, error) {
	for {
		quiet := time.Since(time.Unix(0, t.lastActive.Load()))
		if err := from.SetReadDeadline(time.Now().Add(t.idle - quiet)); err != nil {
			return 0, err
		}
		n, err := from.Read(buffer)
		if n > 0 {
			t.touch()
			return n, err
		}
		alive := time.Since(time.Unix(0, t.lastActive.Load())) < t.idle
		if !errors.Is(err, os.ErrDeadlineExceeded) || !alive {
			return n, err
		}
	}
}

func (t *tunnel) write(to net.Conn, bytes []byte, count *atomic.Int64) error {
	if t.waitBandwidth != nil {
		if err := t.waitBandwidth(len(bytes)); err != nil {
			return err
		}
	}
	if err := to.SetWriteDeadline(time.Now().Add(t.idle)); err != nil {
		return err
	}
	n, err := to.Write(bytes)
	count.Add(int64(n))
	t.touch()
	return err
}

func (t *tunnel) touch() { t.lastActive.Store(time.Now().UnixNano()) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}
