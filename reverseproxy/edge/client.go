package edge

import (
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// clientKey identifies a client for the limits: an IPv4 address, a 64-bit IPv6 network (one household owns all addresses
// in it), the site that a connection comes from, or the socket for callers without an address.
type clientKey struct {
	network netip.Prefix
	site    string
	socket  string
}

// share is the client's limit. A socket is shared by several callers and gets a multiple.
func (k clientKey) share(limit int) int {
	if k.socket != "" {
		return socketShares * limit
	}
	return limit
}

const socketShares = 4

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
		return clientKey{socket: "?"} // not a valid address
	}
	return clientKey{network: network}
}

// client is the state of a client with open connections.
type client struct {
	key         clientKey
	name        string
	longHeaders int                   // connections that are reading a long header; guarded by the tracker
	conns       map[*rawConn]struct{} // guarded by the tracker
	requests    atomic.Int64          // in flight
}

// Client returns the name under which the client of a request is counted; empty for a request that did not come
// through a Server, as in tests of handlers.
func Client(r *http.Request) string {
	if raw := rawOf(r); raw != nil {
		return raw.client.name
	}
	return ""
}

// limitRequests answers requests beyond a client's share of requests in flight with Options.Busy.
func (s *Server) limitRequests(next http.Handler) http.Handler {
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

// onConnState is the ConnState hook of both servers.
func onConnState(c net.Conn, state http.ConnState) {
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
		raw.idleSince.Store(0)
	case http.StateIdle:
		raw.idleSince.Store(time.Now().UnixNano())
		raw.serving.Store(false)
	}
	if secure != nil && secure.frames == nil && state != http.StateNew && state != http.StateActive {
		// HTTP/1.1 has no other sign that a response has been written to its end.
		_ = raw.endResponse() // the next write returns the error
	}
}
