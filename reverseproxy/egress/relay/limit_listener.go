package relay

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	idleTimeout = 30 * time.Second // between two reads
	connTimeout = 10 * time.Minute // of one connection
	maxPerSite  = 8                // connections at once
)

// limitListener answers connections beyond the limit with "busy", and limits the
// time of the others.
type limitListener struct {
	net.Listener
	places chan struct{}
}

func newLimitListener(l net.Listener) *limitListener {
	return &limitListener{Listener: l, places: make(chan struct{}, maxPerSite)}
}

// Accept waits for a connection that has a place.
func (d *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case d.places <- struct{}{}:
			return &limitedConn{Conn: conn, until: time.Now().Add(connTimeout), free: sync.OnceFunc(func() { <-d.places })}, nil
		default:
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(conn, "421 4.7.0 Too many connections\r\n")
			_ = conn.Close()
		}
	}
}

// limitedConn is a connection with an idle timeout and a total timeout.
type limitedConn struct {
	net.Conn
	until time.Time
	free  func()
}

// Read waits for at most idleTimeout, within connTimeout.
func (g *limitedConn) Read(p []byte) (int, error) {
	soon := time.Now().Add(idleTimeout)
	if g.until.Before(soon) {
		soon = g.until
	}
	if err := g.SetReadDeadline(soon); err != nil {
		return 0, err
	}
	return g.Conn.Read(p)
}

// Close releases the connection's slot.
func (g *limitedConn) Close() error {
	g.free()
	return g.Conn.Close()
}
