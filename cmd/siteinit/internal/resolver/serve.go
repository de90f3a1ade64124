package resolver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	maxMessage = 1232 // larger questions do not exist; larger answers neither
	maxPackets = 32   // being answered at once; others wait in the socket
	maxStreams = 32
	streamIdle = 5 * time.Second
)

// Serve answers on both sockets until ctx ends; it closes them. Either may be nil.
func Serve(ctx context.Context, packets net.PacketConn, streams net.Listener, book NameTable, log *slog.Logger) {
	var wait sync.WaitGroup
	if packets != nil {
		wait.Go(func() { servePackets(ctx, packets, book, log) })
	}
	if streams != nil {
		wait.Go(func() { serveStreams(ctx, streams, book, log) })
	}
	wait.Wait()
}

func servePackets(ctx context.Context, conn net.PacketConn, book NameTable, log *slog.Logger) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var wait sync.WaitGroup
	defer wait.Wait()
	places := make(chan struct{}, maxPackets)
	buffer := make([]byte, maxMessage)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			log.Warn("reading DNS question", "error", err)
			pause(ctx)
			continue
		}
		query := bytes.Clone(buffer[:n])
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			if reply := Answer(ctx, query, book); reply != nil {
				_, _ = conn.WriteTo(reply, from) // if it is lost, the asker asks again
			}
		})
	}
}

func serveStreams(ctx context.Context, listener net.Listener, book NameTable, log *slog.Logger) {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	var wait sync.WaitGroup
	defer wait.Wait()
	places := make(chan struct{}, maxStreams)
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			log.Warn("accepting DNS connection", "error", err)
			pause(ctx)
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			_ = conn.Close()
			continue
		}
		wait.Go(func() {
			defer func() { <-places }()
			serveStream(ctx, conn, book)
		})
	}
}

func serveStream(ctx context.Context, conn net.Conn, book NameTable) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	buffer := make([]byte, maxMessage)
	for {
		if conn.SetDeadline(time.Now().Add(streamIdle)) != nil {
			return
		}
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(size[:]))
		if n > len(buffer) {
			return
		}
		if _, err := io.ReadFull(conn, buffer[:n]); err != nil {
			return
		}
		reply := Answer(ctx, buffer[:n], book)
		if reply == nil {
			return
		}
		framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
		if _, err := conn.Write(framed); err != nil {
			return
		}
	}
}

// pause keeps a failing socket from turning into a busy loop.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}
