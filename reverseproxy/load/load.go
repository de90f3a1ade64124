// Package load asks a web server for one page, over and over, on many connections at once, as cheaply as can be: a
// measurement of a proxy must not be one of its client. It belongs to the benchmarks alone.
//
// It checks every answer for its status and the length of its body, and nothing else. Start reading at Fleet.
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

// ErrAnswer is an answer that is not the page.
var ErrAnswer = errors.New("not the page that was expected")

// Target is what is asked for.
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
	// ask sends requests as long as more tells it to, and waits for their answers.
	ask(more func() bool) error
	close() error
}

// Fleet is a number of open connections.
type Fleet struct {
	conns  []conn
	cipher uint16
	proto  string
}

// Open dials, shakes hands and asks once, n times: servers do not wait for long for a first request. On an
// error nothing stays open.
func Open(ctx context.Context, t Target, n int) (*Fleet, error) {
	f := new(Fleet)
	for range n {
		c, err := f.open(ctx, t)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.conns = append(f.conns, c)
		once := true
		if err := c.ask(func() bool { defer func() { once = false }(); return once }); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (f *Fleet) open(ctx context.Context, t Target) (conn, error) {
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
func (f *Fleet) Cipher() string { return tls.CipherSuiteName(f.cipher) }

// Ask sends n requests over all connections and returns when all are answered, or with the first error.
func (f *Fleet) Ask(n int) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(n))
	more := func() bool { return left.Add(-1) >= 0 }
	errs := make([]error, len(f.conns))
	start := time.Now()
	var all sync.WaitGroup
	for i, c := range f.conns {
		all.Go(func() {
			if errs[i] = c.ask(more); errs[i] != nil {
				left.Store(0)
			}
		})
	}
	all.Wait()
	return time.Since(start), errors.Join(errs...)
}

// Close closes every connection.
func (f *Fleet) Close() error {
	var err error
	for _, c := range f.conns {
		if cause := c.close(); cause != nil && !errors.Is(cause, net.ErrClosed) {
			err = errors.Join(err, cause)
		}
	}
	return err
}
