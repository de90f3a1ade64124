package forward

import (
	"io"
	"net"
	"sync"
)

// Join copies both ways until both directions have ended, and closes both
// connections. The end of one direction is forwarded as a half-close; an error in
// one ends the other.
func Join(a, b net.Conn) {
	var wait sync.WaitGroup
	wait.Go(func() { copyHalf(a, b) })
	wait.Go(func() { copyHalf(b, a) })
	wait.Wait()
	_ = a.Close()
	_ = b.Close()
}

// copyHalf copies one direction, in the kernel where possible (splice between TCP
// and unix sockets), so that an idle connection needs no buffer.
func copyHalf(to, from net.Conn) {
	_, err := io.Copy(to, from)
	finish(to, from, err)
}

// finish passes the end of one direction on, and ends both after an error.
func finish(to, from net.Conn, err error) {
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		Reset(to)
		Reset(from)
	}
}

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}
