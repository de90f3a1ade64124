package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// ErrNone is returned to handshakes as long as no usable certificate was ever found.
var ErrNone = errors.New("no certificate yet")

// Source serves one certificate from two files and follows them. A pair that cannot be used is rejected with one log
// line, and the last good one stays in use.
type Source struct {
	certFile, keyFile string

	interval time.Duration
	clock    func() time.Time
	log      *slog.Logger

	current atomic.Pointer[tls.Certificate]
	fault   string // the last logged; owned by the goroutine that calls refresh
}

// Open reads the pair and returns its source. A pair that is missing or bad is no error: it may come.
func Open(certFile, keyFile string, every time.Duration, clock func() time.Time, log *slog.Logger) *Source {
	s := &Source{certFile: certFile, keyFile: keyFile, interval: every, clock: clock, log: log}
	s.refresh()
	return s
}

// GetCertificate serves tls.Config. The name that the client asks for makes no difference: the Host
// decides later, and a client without a name, or with an unknown one, gets the wildcard too.
func (s *Source) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := s.current.Load(); cert != nil {
		return cert, nil
	}
	return nil, ErrNone
}

// Run follows the files until ctx ends.
func (s *Source) Run(ctx context.Context) {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	events, faults, stop := s.notifications()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-events:
		case err := <-faults:
			s.log.Warn("watching certificates", "error", err)
		}
		s.refresh()
	}
}

func (s *Source) notifications() (<-chan fsnotify.Event, <-chan error, func()) {
	watch, err := fsnotify.NewWatcher()
	if err == nil {
		err = errors.Join(watch.Add(filepath.Dir(s.certFile)), watch.Add(filepath.Dir(s.keyFile)))
		if err != nil {
			err = errors.Join(err, watch.Close())
		}
	}
	if err != nil {
		s.log.Warn("certificates are polled only", "error", err)
		return nil, nil, func() {}
	}
	return watch.Events, watch.Errors, func() {
		if err := watch.Close(); err != nil {
			s.log.Warn("closing certificate watch", "error", err)
		}
	}
}

func (s *Source) refresh() {
	cert, err := s.load()
	if err != nil {
		if s.fault != err.Error() {
			s.fault = err.Error()
			s.log.Error("certificate refused, keeping the last good one", "error", err)
		}
		return
	}
	s.fault = ""
	if old := s.current.Load(); old != nil && old.Leaf.Equal(cert.Leaf) {
		return
	}
	s.current.Store(cert)
	s.log.Info("certificate in force", "names", cert.Leaf.DNSNames, "until", cert.Leaf.NotAfter)
}

// load reads the pair, which must match and be in force. With nothing better at hand, an expired one
// is taken all the same: visitors who see a warning are better served than by a refused handshake.
func (s *Source) load() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
	if err != nil {
		return nil, fmt.Errorf("loading certificate: %w", err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, fmt.Errorf("parsing certificate: %w", err)
		}
	}
	old := s.current.Load()
	if s.clock().After(cert.Leaf.NotAfter) && old != nil && !old.Leaf.Equal(cert.Leaf) {
		return nil, fmt.Errorf("%w: on %s", ErrExpired, cert.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &cert, nil
}
