package relay

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	idleLimit  = 30 * time.Second // between two reads
	totalLimit = 10 * time.Minute // of one connection
	maxPerSite = 8                // connections at once
)

// door answers connections beyond its places with "busy", and gives the others
// a limited time.
type door struct {
	net.Listener
	places chan struct{}
}

func newDoor(l net.Listener) *door {
	return &door{Listener: l, places: make(chan struct{}, maxPerSite)}
}

// Accept waits for a connection that has a place.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case d.places <- struct{}{}:
			return &guest{Conn: conn, until: time.Now().Add(totalLimit), free: sync.OnceFunc(func() { <-d.places })}, nil
		default:
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(conn, "421 4.7.0 Too many connections\r\n")
			_ = conn.Close()
		}
	}
}

// guest is a connection that must not fall asleep, and not stay for ever.
type guest struct {
	net.Conn
	until time.Time
	free  func()
}

// Read waits for as long as a guest may be silent.
func (g *guest) Read(p []byte) (int, error) {
	soon := time.Now().Add(idleLimit)
	if g.until.Before(soon) {
		soon = g.until
	}
	if err := g.SetReadDeadline(soon); err != nil {
		return 0, err
	}
	return g.Conn.Read(p)
}

// Close gives the place back.
func (g *guest) Close() error {
	g.free()
	return g.Conn.Close()
}
