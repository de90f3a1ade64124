package forward

import (
	"io"
	"net"
	"sync"
)

// Join copies both ways until both directions have ended, and closes both
// connections. The end of one direction is passed on as such (half-close); an
// error in one ends the other.
func Join(a, b net.Conn) {
	var wait sync.WaitGroup
	wait.Go(func() { carry(a, b) })
	wait.Go(func() { carry(b, a) })
	wait.Wait()
	_ = a.Close()
	_ = b.Close()
}

// carry leaves the copying to the kernel where it can (splice between TCP and
// unix sockets): no buffer of ours is held for an idle connection.
func carry(to, from net.Conn) {
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
