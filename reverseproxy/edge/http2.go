package edge

// net/http's own HTTP/2 requires a bare *tls.Conn, which would prevent the batching of writes; x/net's server, marked
// deprecated (SA1019), takes any connection.

import (
	"context"
	"net"
	"net/http"

	"golang.org/x/net/http2"
)

const protocolH2 = http2.NextProtoTLS

// http2Server serves HTTP/2 on connections whose handshake is done. Its connections end with base:
// http.Server.Shutdown tells their clients to go away.
type http2Server struct {
	server *http2.Server
	base   *http.Server
}

func newHTTP2(opts Options, base *http.Server) (*http2Server, error) {
	// rawConn ends writes that make no progress.
	server := &http2.Server{
		MaxConcurrentStreams: opts.MaxStreams,
		IdleTimeout:          opts.IdleTimeout,
		ReadIdleTimeout:      opts.IdleTimeout,
		PingTimeout:          opts.HandshakeTimeout,
	}
	return &http2Server{server: server, base: base}, http2.ConfigureServer(base, server)
}

func (s *http2Server) serve(ctx context.Context, conn net.Conn) {
	s.server.ServeConn(conn, &http2.ServeConnOpts{Context: ctx, BaseConfig: s.base})
}
