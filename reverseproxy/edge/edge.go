// Package edge is the part of the proxy that faces visitors: listeners, TLS, HTTP/1.1 and HTTP/2, draining.
//
// It knows only an http.Handler. It accepts connections and performs handshakes itself instead of leaving them to
// net/http, because this makes large TLS writes cheap (one system call per Write, not per record).
// Start reading at Server.
package edge

import (
	"cmp"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"syscall"
	"time"
)

var (
	// ErrInherited is a malformed set of inherited listeners.
	ErrInherited = errors.New("malformed inherited listeners")
)

// Options configure a Server. Zero durations and sizes get the defaults below.
type Options struct {
	// Secure serves requests over TLS.
	Secure http.Handler
	// Plain serves requests without TLS.
	Plain http.Handler
	// GetCertificate finds the certificate of a handshake.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	HandshakeTimeout  time.Duration // 10 s
	ReadHeaderTimeout time.Duration // 10 s
	// IdleTimeout ends a connection between two requests; 60 s.
	IdleTimeout time.Duration
	// WriteTimeout ends a connection on which one write makes no progress for so long; 60 s.
	// There is no limit to how long a whole body takes.
	WriteTimeout time.Duration
	// DrainTimeout is how long requests in flight may go on once the server is told to end; 20 s.
	DrainTimeout time.Duration
	// StallTimeout is how long a connection may make no progress in either direction before it can be closed to make
	// room for another; 20 s.
	StallTimeout time.Duration
	// MaxHeaderBytes is how large a header may be to be answered by the handlers; 1 MiB, which is more than all the
	// cookies that a browser keeps for a site.
	MaxHeaderBytes int
	// MaxStreams is how many requests one HTTP/2 connection may have in flight; 128.
	MaxStreams uint32

	// MaxConns is how many connections may be open; 4,096, and never more than half the files that the
	// process may open. Beyond, idle ones are closed to make room, then those without progress.
	MaxConns int
	// MaxClientConns is how many connections one client may have; 256. A client is an IPv4 address or an
	// IPv6 network of 64 bits. A unix socket is shared by many and has four times as much.
	MaxClientConns int
	// MaxClientRequests is how many requests of one client may be in flight; 256.
	MaxClientRequests int
	// Busy answers requests beyond MaxClientRequests; a bare 429 by default.
	Busy http.Handler
	// Refusal renders a whole response of HTTP/1.1 for requests that cannot be read; nil leaves net/http's.
	Refusal func(status int) []byte

	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 10*time.Second)
	o.ReadHeaderTimeout = cmp.Or(o.ReadHeaderTimeout, 10*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 60*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 60*time.Second)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, 20*time.Second)
	o.StallTimeout = cmp.Or(o.StallTimeout, 20*time.Second)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, 1<<20)
	o.MaxStreams = cmp.Or(o.MaxStreams, 128)
	o.MaxConns = min(cmp.Or(o.MaxConns, 4096), maxOpenFiles()/2)
	o.MaxClientConns = cmp.Or(o.MaxClientConns, 256)
	o.MaxClientRequests = cmp.Or(o.MaxClientRequests, 256)
	if o.Busy == nil {
		o.Busy = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	}
	return o
}

// maxOpenFiles returns how many files this process may open.
func maxOpenFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // the usual default of a system
	}
	return int(min(limit.Cur, 1<<20))
}
