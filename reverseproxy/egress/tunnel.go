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

// tunnel carries bytes both ways. The end of one direction is passed on as such
// (half-close); an error, or silence in both directions, ends both.
type tunnel struct {
	client net.Conn
	early  *bufio.Reader // what the client sent right behind its request
	server net.Conn
	idle   time.Duration
	flow   func(bytes int) error // waits for the site's share of the line; nil: no limit
	name   string                // whom a TLS client must mean
	strict bool                  // it must speak TLS
	sought string                // whom it meant; known when run has returned

	sent, received atomic.Int64
	touched        atomic.Int64 // when bytes last moved, Unix nanoseconds
}

// run carries until both directions have ended. It calls opened once the
// tunnel is one, and returns why it was not to be, or no longer.
func (t *tunnel) run(opened func()) (fault error) {
	t.touch()
	if !t.strict {
		opened()
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		var err error
		if fault, err = t.guardedOpen(); fault == nil && t.strict {
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

// guardedOpen takes a panic over what the client said for a fault of the client's.
func (t *tunnel) guardedOpen() (fault, err error) {
	defer recovery.Error(&fault)
	return t.open()
}

// direction carries one way, unless it is broken already.
func (t *tunnel) direction(to, from net.Conn, count *atomic.Int64, err error) {
	if err == nil {
		err = t.guardedCopy(to, from, count)
	}
	if err == nil {
		err = closeWrite(to)
	}
	if errors.Is(err, recovery.ErrPanic) {
		slog.Error("carrying a tunnel failed by a fault of ours", "error", err)
	}
	if err != nil {
		_ = to.Close()
		_ = from.Close()
	}
}

func (t *tunnel) guardedCopy(to, from net.Conn, count *atomic.Int64) (err error) {
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

// read waits for bytes; the wait goes on while the other direction is alive.
func (t *tunnel) read(from net.Conn, buffer []byte) (int, error) {
	for {
		quiet := time.Since(time.Unix(0, t.touched.Load()))
		if err := from.SetReadDeadline(time.Now().Add(t.idle - quiet)); err != nil {
			return 0, err
		}
		n, err := from.Read(buffer)
		if n > 0 {
			t.touch()
			return n, err
		}
		alive := time.Since(time.Unix(0, t.touched.Load())) < t.idle
		if !errors.Is(err, os.ErrDeadlineExceeded) || !alive {
			return n, err
		}
	}
}

func (t *tunnel) write(to net.Conn, bytes []byte, count *atomic.Int64) error {
	if t.flow != nil {
		if err := t.flow(len(bytes)); err != nil {
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

func (t *tunnel) touch() { t.touched.Store(time.Now().UnixNano()) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}
