// Package edge is the visitor's side of the proxy: listeners, TLS, HTTP/1.1 and HTTP/2, draining.
//
// It knows only an http.Handler. It accepts and shakes hands itself, instead of letting net/http do
// so, because that is what makes large TLS writes cheap (one system call per Write, not per record).
// Start reading at Server.
package edge

import (
	"cmp"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

var (
	// ErrSocketPath is a path too long or too odd for a unix socket.
	ErrSocketPath = errors.New("unusable socket path")
	// ErrInherited is a malformed set of inherited listeners.
	ErrInherited = errors.New("malformed inherited listeners")
)

// Options are what a Server is made of. Zero durations and sizes get the defaults below.
type Options struct {
	// Secure serves requests that came over TLS.
	Secure http.Handler
	// Plain serves requests that came without.
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
	DrainTimeout   time.Duration
	MaxHeaderBytes int // 64 KiB
	// MaxStreams is how many requests one HTTP/2 connection may have in flight; 128.
	MaxStreams uint32

	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 10*time.Second)
	o.ReadHeaderTimeout = cmp.Or(o.ReadHeaderTimeout, 10*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 60*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 60*time.Second)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, 20*time.Second)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, 64<<10)
	o.MaxStreams = cmp.Or(o.MaxStreams, 128)
	return o
}
