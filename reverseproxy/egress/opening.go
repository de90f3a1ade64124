package egress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"chatiere/reverseproxy/egress/greeting"
)

// greetLimit is how long a TLS client may take over its greeting.
const greetLimit = 10 * time.Second

// tlsPorts are those where the client speaks TLS from its first byte on. On
// every other port it may speak TLS, and is then held to the name as well.
var tlsPorts = []uint16{443, 465, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 8443}

func speaksTLS(port uint16) bool { return slices.Contains(tlsPorts, port) }

// open passes on the client's first bytes. A TLS greeting for another server
// than the one that was asked for is a fault, which ends the tunnel before any
// byte of it has left: a list's name must not be a door to its neighbours on
// the same machine. Whatever else goes wrong is an error.
func (t *tunnel) open() (fault, err error) {
	first, fault := t.first()
	if fault != nil || len(first) == 0 {
		return fault, nil
	}
	if !t.strict && !greeting.Likely(first[0]) {
		return nil, t.pass(first)
	}
	_ = t.client.SetReadDeadline(time.Now().Add(greetLimit))
	seen, hello, fault := greeting.Read(io.MultiReader(bytes.NewReader(first), t.client))
	if fault == nil {
		t.sought = hello.ServerName
		fault = hello.Check(t.name)
	}
	if fault == nil {
		err = t.pass(seen)
	}
	return fault, err
}

// buffered is what the client sent right behind its request.
func (t *tunnel) buffered() []byte {
	waiting := make([]byte, t.early.Buffered())
	n, _ := io.ReadFull(t.early, waiting) // it is there already
	return waiting[:n]
}

// first returns the client's first bytes; none when it has ended, which copying
// meets again. Only where the client must speak first is its silence a fault.
func (t *tunnel) first() (some []byte, fault error) {
	if early := t.buffered(); len(early) > 0 {
		return early, nil
	}
	buffer := make([]byte, greeting.Max)
	if !t.strict {
		n, _ := t.read(t.client, buffer)
		return buffer[:n], nil
	}
	_ = t.client.SetReadDeadline(time.Now().Add(min(greetLimit, t.idle))) // fails if the client is gone: so does reading
	n, err := t.client.Read(buffer)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%w: %w", greeting.ErrForm, err)
	}
	return buffer[:n], nil
}

func (t *tunnel) pass(first []byte) error {
	if len(first) == 0 {
		return nil
	}
	return t.write(t.server, first, &t.sent)
}
