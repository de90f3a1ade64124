package egress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"chatiere/reverseproxy/egress/clienthello"
)

// helloTimeout is how long a TLS client may take to send its client hello.
const helloTimeout = 10 * time.Second

// tlsPorts are the ports on which a client must send TLS from the first byte on. On
// every other port it may, and its server name is then checked as well.
var tlsPorts = []uint16{443, 465, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 8443}

func speaksTLS(port uint16) bool { return slices.Contains(tlsPorts, port) }

// checkOpening forwards the client's first bytes. A TLS client hello for another
// server than the requested one is a fault, which ends the tunnel before any byte
// is sent: an allowed name must not give access to other names on the same
// machine. Any other failure is an error.
func (t *tunnel) checkOpening() (fault, err error) {
	first, fault := t.firstBytes()
	if fault != nil || len(first) == 0 {
		return fault, nil
	}
	if !t.requireTLS && !clienthello.MayBeTLS(first[0]) {
		return nil, t.forwardFirst(first)
	}
	_ = t.client.SetReadDeadline(time.Now().Add(helloTimeout))
	seen, hello, fault := clienthello.Read(io.MultiReader(bytes.NewReader(first), t.client))
	if fault == nil {
		t.serverName = hello.ServerName
		fault = hello.Check(t.name)
	}
	if fault == nil {
		err = t.forwardFirst(seen)
	}
	return fault, err
}

// buffered returns the bytes that the client sent together with its request.
func (t *tunnel) buffered() []byte {
	waiting := make([]byte, t.early.Buffered())
	n, _ := io.ReadFull(t.early, waiting) // it is there already
	return waiting[:n]
}

// firstBytes returns the client's first bytes, none if the connection has ended; the
// copy that follows sees the same end. A silent client is a fault only where it must
// send TLS.
func (t *tunnel) firstBytes() (some []byte, fault error) {
	if early := t.buffered(); len(early) > 0 {
		return early, nil
	}
	buffer := make([]byte, clienthello.Max)
	if !t.requireTLS {
		n, _ := t.read(t.client, buffer)
		return buffer[:n], nil
	}
	_ = t.client.SetReadDeadline(time.Now().Add(min(helloTimeout, t.idle))) // fails if the client is gone: so does reading
	n, err := t.client.Read(buffer)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%w: %w", clienthello.ErrForm, err)
	}
	return buffer[:n], nil
}

func (t *tunnel) forwardFirst(first []byte) error {
	if len(first) == 0 {
		return nil
	}
	return t.write(t.server, first, &t.sent)
}
