// Package greeting reads what a TLS client says first, without taking part in
// the conversation: whose server it believes to speak to. It knows neither
// sites nor their lists. Start at [Read] and [Hello.Check].
package greeting

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

var (
	// ErrForm says that the first bytes are no TLS greeting, or one too long.
	ErrForm = errors.New("no TLS greeting")
	// ErrNoName says that the greeting does not tell whose server it is for.
	ErrNoName = errors.New("TLS greeting without a server name")
	// ErrHidden says that the greeting carries an encrypted one: what it hides
	// is exactly what has to be compared.
	ErrHidden = errors.New("TLS greeting with a hidden server name")
	// ErrOtherName says that the greeting is for another server.
	ErrOtherName = errors.New("TLS greeting for another server name")
)

// Max bounds what is read of one greeting, in bytes. The largest that clients
// send (keys against quantum computers, session tickets) are below a quarter.
const Max = 16 << 10

// encryptedHello is the extension of RFC 9849.
const encryptedHello = 0xfe0d

// Hello is what a greeting tells.
type Hello struct {
	ServerName string // as sent; empty without one
	Hidden     bool   // there is an encrypted greeting inside
}

// Likely tells whether bytes that begin so can be a TLS greeting.
func Likely(first byte) bool { return first == 0x16 }

// Read reads one greeting, in however many records and pieces it comes. It
// returns all that it took from the reader, which may be more than the
// greeting, also with an error: it belongs to the conversation.
func Read(from io.Reader) (seen []byte, hello Hello, err error) {
	tape := &tape{from: io.LimitReader(from, Max)}
	heard := false
	// The standard library's own server does the reading; it is sent home as
	// soon as it has understood, before it answers anything.
	err = tls.Server(tape, &tls.Config{ //nolint:gosec // no connection is made with it: every version must be understood
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			heard = true
			hello = Hello{ServerName: info.ServerName, Hidden: slices.Contains(info.Extensions, encryptedHello)}
			return nil, errHeard
		},
	}).Handshake()
	switch {
	case heard:
		return tape.seen.Bytes(), hello, nil
	case tape.err != nil && !errors.Is(tape.err, io.EOF):
		return tape.seen.Bytes(), Hello{}, fmt.Errorf("%w: %w", ErrForm, tape.err)
	}
	return tape.seen.Bytes(), Hello{}, fmt.Errorf("%w: %w", ErrForm, err)
}

var errHeard = errors.New("heard enough")

// Check returns nil if the greeting is for the server of that name, which is
// in lower case without a final dot.
func (h Hello) Check(name string) error {
	switch {
	case h.Hidden:
		return ErrHidden
	case h.ServerName == "":
		return ErrNoName
	case strings.ToLower(strings.TrimSuffix(h.ServerName, ".")) != name:
		return fmt.Errorf("%w: %q", ErrOtherName, h.ServerName)
	}
	return nil
}

// tape is a connection that remembers what is read and swallows what is written.
type tape struct {
	from io.Reader
	seen bytes.Buffer
	err  error
}

func (t *tape) Read(into []byte) (int, error) {
	n, err := t.from.Read(into)
	t.seen.Write(into[:n])
	if err != nil {
		t.err = err
	}
	return n, err
}

func (t *tape) Write(p []byte) (int, error)      { return len(p), nil }
func (t *tape) Close() error                     { return nil }
func (t *tape) LocalAddr() net.Addr              { return nil }
func (t *tape) RemoteAddr() net.Addr             { return nil }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }
