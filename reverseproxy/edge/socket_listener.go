package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"chatiere/reverseproxy/origin"
)

// SocketListener listens on a unix socket for callers on this machine, who have no address. It serves HTTP/1.1 only, so
// that each request in flight has its own connection.
type SocketListener struct {
	net.Listener
	Socket
}

// Caller is the process or site that a connection of a SocketListener comes from.
type Caller struct {
	Peer   string
	Origin *origin.Origin // set if the connection began with an origin line
	allow  func(*http.Request) bool
}

// Allows reports whether the caller may send the request through its socket.
func (c *Caller) Allows(r *http.Request) bool {
	if c.Origin != nil && !c.Origin.Is(r.Host) {
		return false
	}
	return c.allow == nil || c.allow(r)
}

// Network serves net.Addr.
func (c *Caller) Network() string { return "unix" }

// String returns the caller's name in a form that cannot be mistaken for an address.
func (c *Caller) String() string {
	if c.Origin != nil {
		return "site:" + c.Origin.Site
	}
	return "peer:" + c.Peer
}

// CallerOf returns the caller of a request that came through a SocketListener, nil for all others.
func CallerOf(r *http.Request) *Caller {
	if raw := rawOf(r); raw != nil {
		return raw.caller
	}
	return nil
}

// errServerName is a TLS client hello for another server than the connection's origin.
var errServerName = errors.New("server name is not the origin's")

// socketTLS returns the TLS configuration of socket listeners.
func socketTLS(public *tls.Config) *tls.Config {
	config := public.Clone()
	config.NextProtos = slices.DeleteFunc(slices.Clone(public.NextProtos), func(p string) bool { return p == protocolH2 })
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		raw, ok := hello.Conn.(*rawConn)
		if !ok || raw.caller == nil || raw.caller.Origin == nil || raw.caller.Origin.Is(hello.ServerName) {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: %.80q", errServerName, hello.ServerName)
	}
	return config
}

// serveSocket tracks a connection of a socket listener and gives it to the server of its protocol.
func (s *Server) serveSocket(ctx context.Context, listener SocketListener, conn net.Conn, secure, plain *connListener) {
	caller := &Caller{Peer: listener.Peer, allow: listener.Allow}
	if listener.SendsOrigin {
		from, err := s.readOrigin(ctx, conn)
		if err != nil {
			s.opts.Log.Warn("connection without an origin refused", "listener", listener.Peer, "error", err)
			_ = conn.Close() // nothing was sent on it
			return
		}
		caller.Origin = &from
	}
	raw := s.track(ctx, conn, caller)
	switch {
	case raw == nil:
	case caller.Origin != nil && caller.Origin.Port == origin.PlainPort:
		plain.deliver(raw)
	default:
		closeOnPanic(raw, func() { s.serveSecure(ctx, raw, s.socketTLS, secure) })
	}
}

func (s *Server) readOrigin(ctx context.Context, conn net.Conn) (origin.Origin, error) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetReadDeadline(time.Now().Add(s.opts.HandshakeTimeout)); err != nil {
		return origin.Origin{}, err
	}
	from, err := origin.Read(conn)
	return from, cmp.Or(err, conn.SetReadDeadline(time.Time{}))
}
