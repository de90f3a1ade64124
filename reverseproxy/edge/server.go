package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"chatiere/reverseproxy/recovery"
)

// NoAddress stands for the client's address on unix sockets, where there is none. It is the dummy
// address of RFC 7600: no client can have it, and unlike 127.0.0.1 no application trusts it.
var NoAddress = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.0.8:0"))

// Server serves TLS and plain listeners.
type Server struct {
	opts      Options
	tls       *tls.Config
	socketTLS *tls.Config  // of socket listeners
	secure    *http.Server // HTTP/1.1 after a handshake, and the settings of HTTP/2
	plain     *http.Server
	h2        *http2Server
	tracker   *tracker
	conns     sync.WaitGroup // handshakes and HTTP/2 connections
}

// New makes a server; Serve starts it.
func New(opts Options) (*Server, error) {
	opts = opts.withDefaults()
	s := &Server{opts: opts, tracker: newTracker(limits{all: opts.MaxConns, client: opts.MaxClientConns}, opts.StallTimeout)}
	s.tls = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: opts.GetCertificate,
		NextProtos:     []string{protocolH2, "http/1.1"},
		// Pages are sent in a few large writes; small first records would cost a third more.
		DynamicRecordSizingDisabled: true,
	}
	s.socketTLS = socketTLS(s.tls)
	s.secure, s.plain = s.httpServer(coalesce(s.limitRequests(opts.Secure))), s.httpServer(s.limitRequests(opts.Plain))
	var err error
	if s.h2, err = newHTTP2(opts, s.secure); err != nil {
		return nil, fmt.Errorf("configuring HTTP/2: %w", err)
	}
	return s, nil
}

func (s *Server) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.opts.ReadHeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    s.opts.MaxHeaderBytes,
		ConnContext:       withConn,
		ConnState:         onConnState,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true,
	}
}

// Serve serves until ctx ends, then drains: listeners close, requests in flight go on for at most
// DrainTimeout. It returns early only if a listener fails.
func (s *Server) Serve(parent context.Context, secure, plain []net.Listener) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var loops sync.WaitGroup
	h1, h0 := newConnListener(NoAddress), newConnListener(NoAddress)
	for _, l := range secure {
		loops.Go(func() { cancel(s.accept(ctx, l, s.connHandler(ctx, l, h1, h0))) })
	}
	for _, l := range plain {
		loops.Go(func() {
			cancel(s.accept(ctx, l, func(conn net.Conn) {
				s.handle(conn, func() {
					if c := s.track(ctx, conn, nil); c != nil {
						h0.deliver(c)
					}
				})
			}))
		})
	}
	loops.Go(func() { cancel(s.secure.Serve(h1)) })
	loops.Go(func() { cancel(s.plain.Serve(h0)) })
	loops.Go(func() { recovery.Keep(ctx, s.opts.Log, "logging refused connections", s.logRejections) })
	<-ctx.Done()
	s.drain(slices.Concat(secure, plain))
	loops.Wait()
	if parent.Err() != nil {
		return nil // a requested shutdown
	}
	return context.Cause(ctx)
}

// connHandler returns the function that serves the connections of a listener.
func (s *Server) connHandler(ctx context.Context, l net.Listener, h1, h0 *connListener) func(net.Conn) {
	if listener, ok := l.(SocketListener); ok {
		return func(conn net.Conn) { s.handle(conn, func() { s.serveSocket(ctx, listener, conn, h1, h0) }) }
	}
	return func(conn net.Conn) {
		s.handle(conn, func() {
			if c := s.track(ctx, conn, nil); c != nil {
				closeOnPanic(c, func() { s.serveSecure(ctx, c, s.tls, h1) })
			}
		})
	}
}

// drain shuts down gracefully: listeners close, HTTP/1.1 connections close after the request in flight, HTTP/2
// connections get GOAWAY, and whatever is left after the deadline is closed.
func (s *Server) drain(listeners []net.Listener) {
	for _, l := range listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.opts.Log.Warn("closing listener", "error", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.DrainTimeout)
	defer cancel()
	err := errors.Join(s.secure.Shutdown(ctx), s.plain.Shutdown(ctx), s.tracker.wait(ctx))
	if err != nil {
		s.opts.Log.Warn("connections cut at the end of draining", "count", s.tracker.closeAll())
		err = errors.Join(s.secure.Close(), s.plain.Close())
	}
	if err != nil {
		s.opts.Log.Warn("closing servers", "error", err)
	}
	s.conns.Wait()
}

// handle serves a connection in its own goroutine. A panic is logged and closes the connection.
func (s *Server) handle(conn net.Conn, serve func()) {
	s.conns.Go(func() {
		defer recovery.Log(s.opts.Log, "serving a connection")
		closeOnPanic(conn, serve)
	})
}

// closeOnPanic closes a connection if serve panics.
func closeOnPanic(conn net.Conn, serve func()) {
	returned := false
	defer func() {
		if !returned {
			_ = conn.Close()
		}
	}()
	serve()
	returned = true
}

// accept runs one listener. When file descriptors run out it makes room and tries again.
func (s *Server) accept(ctx context.Context, l net.Listener, serve func(net.Conn)) error {
	const longest = time.Second
	pause := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			serve(conn)
		case ctx.Err() != nil:
			return context.Canceled
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting on %s: %w", l.Addr(), err)
		default:
			s.opts.Log.Error("accepting connection", "error", err, "pause", pause)
			s.tracker.makeRoom()
			if !sleep(ctx, pause) {
				return context.Canceled
			}
			pause = min(2*pause, longest)
		}
	}
}

// track admits a connection. One beyond its client's share is closed at once with a reset, so that the kernel keeps no
// state for it; if the server is full, it waits for a moment first. caller is nil except on a socket listener.
func (s *Server) track(ctx context.Context, conn net.Conn, caller *Caller) *rawConn {
	remote := conn.RemoteAddr()
	if caller != nil {
		remote = caller
	} else if _, ok := remote.(*net.TCPAddr); !ok {
		remote = NoAddress
	}
	c := &rawConn{
		Conn: conn, remote: remote, caller: caller, timeout: s.opts.WriteTimeout, tracker: s.tracker, refusal: s.opts.Refusal,
		headerTimeout: s.opts.ReadHeaderTimeout,
	}
	now := time.Now().UnixNano()
	c.idleSince.Store(now)
	c.lastProgress.Store(now)
	if s.tracker.admitOrWait(ctx, c, keyOf(conn, caller)) {
		return c
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed in any case
	}
	_ = conn.Close() // nothing was sent on it
	return nil
}

// serveSecure completes the handshake and gives the connection to the server of its protocol.
func (s *Server) serveSecure(ctx context.Context, raw *rawConn, config *tls.Config, h1 *connListener) {
	conn := &secureConn{Conn: tls.Server(raw, config), raw: raw}
	if err := s.handshake(ctx, conn); err != nil {
		s.opts.Log.Debug("handshake failed", "error", err)
		_ = raw.Close() // the handshake's error is the one that counts
		return
	}
	if conn.ConnectionState().NegotiatedProtocol != protocolH2 {
		h1.deliver(conn)
		return
	}
	conn.frames, raw.shared = new(frameParser), true
	s.h2.serve(withConn(context.WithoutCancel(ctx), conn), conn)
	_ = raw.Close() // it is closed already, unless the preface was wrong
}

func (s *Server) handshake(ctx context.Context, conn *secureConn) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.HandshakeTimeout)
	defer cancel()
	return conn.HandshakeContext(ctx)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
