package edge

import (
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// clientKey is one client as it is counted: an IPv4 address, the 64 bits of an IPv6 network, since one
// household has all that lies below, the site that a connection comes from, or the socket that neighbours without an
// address come by.
type clientKey struct {
	network netip.Prefix
	site    string
	socket  string
}

// share is what a client may have. Behind a socket, there are many.
func (k clientKey) share(limit int) int {
	if k.socket != "" {
		return neighbours * limit
	}
	return limit
}

const neighbours = 4

func keyOf(conn net.Conn, caller *Caller) clientKey {
	if caller != nil && caller.Origin != nil {
		return clientKey{site: caller.Origin.Site}
	}
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return clientKey{socket: conn.LocalAddr().String()}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return clientKey{socket: "?"} // an address that is none
	}
	return clientKey{network: network}
}

// client is who has connections open.
type client struct {
	key      clientKey
	name     string
	long     int                   // connections in the midst of a long header; guarded by the tracker
	conns    map[*rawConn]struct{} // guarded by the tracker
	requests atomic.Int64          // in flight
}

// Client names the client of a request as its share is counted; empty in tests of handlers alone.
func Client(r *http.Request) string {
	if raw := rawOf(r); raw != nil {
		return raw.client.name
	}
	return ""
}

// bounded answers by busy what goes beyond a client's share of requests in flight.
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw := rawOf(r)
		if raw == nil {
			next.ServeHTTP(w, r)
			return
		}
		raw.serving.Store(true)
		who := raw.client
		defer who.requests.Add(-1)
		if who.requests.Add(1) > int64(who.key.share(s.opts.MaxClientRequests)) {
			s.tracker.counts.busy.Add(1)
			s.opts.Busy.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// changed is told by both servers what becomes of a connection.
func changed(c net.Conn, state http.ConnState) {
	raw, _ := c.(*rawConn)
	secure, _ := c.(*secureConn)
	if secure != nil {
		raw = secure.raw
	}
	if raw == nil {
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		raw.rest.Store(0)
	case http.StateIdle:
		raw.rest.Store(time.Now().UnixNano())
		raw.serving.Store(false)
	}
	if secure != nil && secure.frames == nil && state != http.StateNew && state != http.StateActive {
		// HTTP/1.1 has no other sign that a response has been written to its end.
		_ = raw.settle() // the next write tells
	}
}
