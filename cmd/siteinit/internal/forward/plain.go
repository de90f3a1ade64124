package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrAddress says that an address is not of the form unix:/path or tcp:host:port.
var ErrAddress = errors.New("expected unix:/path or tcp:host:port")

// socketMode lets the socket directory's group connect, and nobody else.
const socketMode = 0o660

// Address is where to listen or to dial.
type Address struct{ Network, Address string }

// ParseAddress reads "unix:/path" or "tcp:host:port".
func ParseAddress(text string) (Address, error) {
	network, address, _ := strings.Cut(text, ":")
	switch {
	case network == "unix" && strings.HasPrefix(address, "/"):
		return Address{network, address}, nil
	case network == "tcp":
		if _, _, err := net.SplitHostPort(address); err == nil {
			return Address{network, address}, nil
		}
	}
	return Address{}, fmt.Errorf("reading address %q: %w", text, ErrAddress)
}

// Listen opens the address to the socket directory's group. A socket left by a
// killed predecessor is replaced; anything else at that path is left alone.
func Listen(ctx context.Context, at Address) (net.Listener, error) {
	return ListenMode(ctx, at, socketMode)
}

// ListenMode is Listen with the mode of the socket, if it is one.
func ListenMode(ctx context.Context, at Address, mode fs.FileMode) (net.Listener, error) {
	var listen net.ListenConfig
	if at.Network != "unix" {
		return listen.Listen(ctx, at.Network, at.Address)
	}
	if err := RemoveStale(at.Address); err != nil {
		return nil, err
	}
	listener, err := listen.Listen(ctx, "unix", at.Address)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(at.Address, mode); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("opening socket to those who may: %w", err)
	}
	return listener, nil
}

// RemoveStale removes the socket at path, if there is one.
func RemoveStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for a stale socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("removing stale socket: %s is no socket", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing stale socket: %w", err)
	}
	return nil
}

// Plain returns a handler that carries every connection to one address.
func Plain(to Address, report func(error)) Handler {
	return func(ctx context.Context, conn net.Conn) {
		upstream, err := dialQueued(ctx, to)
		if err != nil {
			Reset(conn)
			report(fmt.Errorf("dialling %s: %w", to.Address, err))
			return
		}
		defer context.AfterFunc(ctx, func() { _ = upstream.Close() })()
		Join(conn, upstream)
	}
}

// queuePause is how long a dialer waits for room in the queue of a unix socket.
const queuePause = 5 * time.Millisecond

// dialQueued dials, and tries again while the queue of a unix socket is full: the kernel says so at once.
func dialQueued(ctx context.Context, to Address) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	for end := time.Now().Add(dialTimeout); ; {
		conn, err := dialer.DialContext(ctx, to.Network, to.Address)
		if !errors.Is(err, syscall.EAGAIN) || time.Now().After(end) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(queuePause):
		}
	}
}
