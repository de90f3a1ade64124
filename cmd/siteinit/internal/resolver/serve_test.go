package resolver_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"chatiere/cmd/siteinit/internal/resolver"
)

// serve runs the resolver on real sockets and returns their address.
func serve(t *testing.T) string {
	t.Helper()
	streams, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", streams.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		resolver.Serve(ctx, packets, streams, fixed{}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() { cancel(); <-done })
	return streams.Addr().String()
}

func TestAClientFindsNamesOverBothTransports(t *testing.T) {
	server := serve(t)
	for _, network := range []string{"udp", "tcp"} {
		client := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}}
		got, err := client.LookupNetIP(t.Context(), "ip", "api.wordpress.org.")
		if err != nil || len(got) != 1 || got[0].Unmap() != at {
			t.Errorf("%s: %v, %v", network, got, err)
		}
		names, err := client.LookupAddr(t.Context(), at.String())
		if err != nil || len(names) != 1 || names[0] != "known.example." {
			t.Errorf("%s: %v, %v", network, names, err)
		}
	}
}

func TestGarbageStopsNobody(t *testing.T) {
	server := serve(t)
	address := netip.MustParseAddrPort(server)
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(address))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, junk := range [][]byte{{}, {0}, make([]byte, 12), make([]byte, 4000)} {
		if _, err := conn.Write(junk); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := net.Dial("tcp", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	if _, err := stream.Write([]byte{0xff, 0xff, 1}); err != nil { // longer than questions are
		t.Fatal(err)
	}
	_ = stream.SetReadDeadline(time.Now().Add(3 * time.Second))
	if n, err := stream.Read(make([]byte, 1)); n != 0 || isTimeout(err) {
		t.Errorf("an oversized question: %d, %v", n, err)
	}
	if _, err := conn.Write(query(t, nil)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	buffer := make([]byte, 512)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("no answer after garbage: %v", err)
		}
		if n > 12 && buffer[0] == 4711>>8 && buffer[1] == 4711&0xff {
			return
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
