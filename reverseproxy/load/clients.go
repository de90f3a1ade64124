// Package load requests one page from a web server repeatedly on many connections, at the lowest cost possible, so that
// a benchmark measures the proxy and not its client. Only the benchmarks use it.
//
// It checks the status and the length of each response, nothing else. Start reading at Clients.
package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ErrAnswer is a response that is not the page.
var ErrAnswer = errors.New("not the page that was expected")

// Target is the page to request.
type Target struct {
	Addr  string // host:port that is dialled
	Host  string // name in the handshake and in requests
	Path  string
	Size  int64 // bytes of the page
	Roots *x509.CertPool
	HTTP2 bool
	// Streams is how many requests are in flight on one connection; HTTP/1.1 knows only one.
	Streams int
}

// conn is one connection, in either protocol.
type conn interface {
	// fetch sends requests as long as more returns true, and waits for the responses.
	fetch(more func() bool) error
	close() error
}

// Clients is a set of open connections.
type Clients struct {
	conns  []conn
	cipher uint16
	proto  string
}

// Open opens n connections and sends one request on each, since servers do not wait long for a first request. After an
// error no connection stays open.
func Open(ctx context.Context, t Target, n int) (*Clients, error) {
	f := new(Clients)
	for range n {
		c, err := f.open(ctx, t)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.conns = append(f.conns, c)
		once := true
		if err := c.fetch(func() bool { defer func() { once = false }(); return once }); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (f *Clients) open(ctx context.Context, t Target) (conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	proto := "http/1.1"
	if t.HTTP2 {
		proto = "h2"
	}
	dialer := tls.Dialer{Config: &tls.Config{
		RootCAs: t.Roots, ServerName: t.Host, NextProtos: []string{proto}, MinVersion: tls.VersionTLS13,
	}}
	nc, err := dialer.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", t.Addr, err)
	}
	state := nc.(*tls.Conn).ConnectionState()
	f.cipher, f.proto = state.CipherSuite, state.NegotiatedProtocol
	if t.HTTP2 {
		if f.proto != proto {
			return nil, errors.Join(fmt.Errorf("%w: %s speaks no h2", ErrAnswer, t.Addr), nc.Close())
		}
		return newH2(nc, t)
	}
	return newH1(nc, t), nil
}

// Cipher names what was agreed on in the handshake.
func (f *Clients) Cipher() string { return tls.CipherSuiteName(f.cipher) }

// Fetch sends n requests over all connections and returns when all are answered or one has failed.
func (f *Clients) Fetch(n int) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(n))
	more := func() bool { return left.Add(-1) >= 0 }
	errs := make([]error, len(f.conns))
	start := time.Now()
	var all sync.WaitGroup
	for i, c := range f.conns {
		all.Go(func() {
			if errs[i] = c.fetch(more); errs[i] != nil {
				left.Store(0)
			}
		})
	}
	all.Wait()
	return time.Since(start), errors.Join(errs...)
}

// Close closes every connection.
func (f *Clients) Close() error {
	var err error
	for _, c := range f.conns {
		if cause := c.close(); cause != nil && !errors.Is(cause, net.ErrClosed) {
			err = errors.Join(err, cause)
		}
	}
	return err
}
