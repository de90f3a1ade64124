// Package forward forwards connections from a listener to a destination: to
// the gateway by name ([Egress]), to its mail port ([Mail]) or to a fixed
// address ([Plain]). It decides nothing about names; the gateway does.
// Start at [Serve].
package forward

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Handler owns one accepted connection and closes it.
type Handler func(ctx context.Context, conn net.Conn)

// Serve hands connections to handle, at most limit at a time, until ctx ends;
// then it closes the listener and all connections and waits for the handlers.
func Serve(ctx context.Context, listener net.Listener, limit int, handle Handler, log *slog.Logger) {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	var wait sync.WaitGroup
	defer wait.Wait()
	places := make(chan struct{}, limit)
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			log.Warn("accepting connection", "address", listener.Addr().String(), "error", err)
			acceptPause(ctx)
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			Reset(conn)
			continue
		}
		wait.Go(func() {
			defer func() { <-places }()
			defer context.AfterFunc(ctx, func() { Reset(conn) })()
			handle(ctx, conn)
		})
	}
}

// Reset closes a connection so that the peer sees an error at once, instead of
// an orderly end that a library may take for an empty answer.
func Reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// acceptPause prevents a busy loop of a failing listener (no more descriptors).
func acceptPause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}
