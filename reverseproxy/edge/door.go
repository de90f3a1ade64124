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

// Door is a socket that is listened on, for neighbours on this machine, who have no address. On a door, HTTP/1.1 is
// spoken and nothing else, so that each request in flight has a connection of its own.
type Door struct {
	net.Listener
	Socket
}

// Caller is who came by a door.
type Caller struct {
	Peer   string
	Origin *origin.Origin // of an announced connection
	leads  func(*http.Request) bool
}

// May reports whether a request may come by the caller's door.
func (c *Caller) May(r *http.Request) bool {
	if c.Origin != nil && !c.Origin.Is(r.Host) {
		return false
	}
	return c.leads == nil || c.leads(r)
}

// Network serves net.Addr.
func (c *Caller) Network() string { return "unix" }

// String names the caller. It is no address, so nobody takes it for one.
func (c *Caller) String() string {
	if c.Origin != nil {
		return "site:" + c.Origin.Site
	}
	return "peer:" + c.Peer
}

// CallerOf returns who sent a request that came by a door, nil for all others.
func CallerOf(r *http.Request) *Caller {
	if raw := rawOf(r); raw != nil {
		return raw.caller
	}
	return nil
}

// errOtherName is a greeting for another server than the one that the connection leads to.
var errOtherName = errors.New("server name is not the origin's")

// doorTLS is the configuration of TLS behind doors.
func doorTLS(public *tls.Config) *tls.Config {
	config := public.Clone()
	config.NextProtos = slices.DeleteFunc(slices.Clone(public.NextProtos), func(p string) bool { return p == protocolH2 })
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		raw, ok := hello.Conn.(*rawConn)
		if !ok || raw.caller == nil || raw.caller.Origin == nil || raw.caller.Origin.Is(hello.ServerName) {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: %.80q", errOtherName, hello.ServerName)
	}
	return config
}

// enter tracks a door's connection and leads it to the server of what it speaks.
func (s *Server) enter(ctx context.Context, door Door, conn net.Conn, secure, plain *handoff) {
	caller := &Caller{Peer: door.Peer, leads: door.Leads}
	if door.Announced {
		from, err := s.readOrigin(ctx, conn)
		if err != nil {
			s.opts.Log.Warn("connection without an origin refused", "door", door.Peer, "error", err)
			_ = conn.Close() // nothing was said on it
			return
		}
		caller.Origin = &from
	}
	raw := s.track(ctx, conn, caller)
	switch {
	case raw == nil:
	case caller.Origin != nil && caller.Origin.Port == origin.PlainPort:
		plain.give(raw)
	default:
		closeUnless(raw, func() { s.serveSecure(ctx, raw, s.doorTLS, secure) })
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
