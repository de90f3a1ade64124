// Package clienthello reads the server name from a TLS client hello without taking
// part in the handshake. It knows neither sites nor their lists. Start at [Read] and
// [Hello.Check].
package clienthello

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"chatiere/reverseproxy/hostname"
)

var (
	// ErrForm means that the first bytes are no client hello, or one too long.
	ErrForm = errors.New("no TLS greeting")
	// ErrNoName means that the client hello has no server name.
	ErrNoName = errors.New("TLS greeting without a server name")
	// ErrHidden means that there is an encrypted client hello, which hides the name
	// that must be compared.
	ErrHidden = errors.New("TLS greeting with a hidden server name")
	// ErrWrongName means that the client hello is for another server.
	ErrWrongName = errors.New("TLS greeting for another server name")
)

// Max is the largest client hello that is read, in bytes. Real ones with
// post-quantum keys and session tickets are below a quarter of it.
const Max = 16 << 10

// encryptedHello is the extension of RFC 9849.
const encryptedHello = 0xfe0d

// Hello is the relevant content of a client hello.
type Hello struct {
	ServerName string // as sent; empty without one
	Hidden     bool   // there is an encrypted client hello inside
}

// MayBeTLS reports whether a stream with this first byte can be TLS.
func MayBeTLS(first byte) bool { return first == 0x16 }

// Read reads one client hello, in any number of records and reads. It returns all
// bytes read, which may be more than the client hello, also with an error: the
// caller must forward them.
func Read(from io.Reader) (seen []byte, hello Hello, err error) {
	recorded := &recorder{from: io.LimitReader(from, Max)}
	parsed := false
	// The standard library's server parses it and is stopped before it answers
	// anything.
	err = tls.Server(recorded, &tls.Config{ //nolint:gosec // no connection is made with it: every version must be understood
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			parsed = true
			hello = Hello{ServerName: info.ServerName, Hidden: slices.Contains(info.Extensions, encryptedHello)}
			return nil, errStop
		},
	}).Handshake()
	switch {
	case parsed:
		return recorded.seen.Bytes(), hello, nil
	case recorded.err != nil && !errors.Is(recorded.err, io.EOF):
		return recorded.seen.Bytes(), Hello{}, fmt.Errorf("%w: %w", ErrForm, recorded.err)
	}
	return recorded.seen.Bytes(), Hello{}, fmt.Errorf("%w: %w", ErrForm, err)
}

var errStop = errors.New("heard enough")

// Check returns nil if the client hello is for the server of that name, which is in
// lower case without a final dot.
func (h Hello) Check(name string) error {
	asked, _ := hostname.Canonical(h.ServerName)
	switch {
	case h.Hidden:
		return ErrHidden
	case h.ServerName == "":
		return ErrNoName
	case asked != name:
		return fmt.Errorf("%w: %q", ErrWrongName, h.ServerName)
	}
	return nil
}

// recorder is a connection that records reads and discards writes.
type recorder struct {
	from io.Reader
	seen bytes.Buffer
	err  error
}

func (t *recorder) Read(into []byte) (int, error) {
	n, err := t.from.Read(into)
	t.seen.Write(into[:n])
	if err != nil {
		t.err = err
	}
	return n, err
}

func (t *recorder) Write(p []byte) (int, error)      { return len(p), nil }
func (t *recorder) Close() error                     { return nil }
func (t *recorder) LocalAddr() net.Addr              { return nil }
func (t *recorder) RemoteAddr() net.Addr             { return nil }
func (t *recorder) SetDeadline(time.Time) error      { return nil }
func (t *recorder) SetReadDeadline(time.Time) error  { return nil }
func (t *recorder) SetWriteDeadline(time.Time) error { return nil }
