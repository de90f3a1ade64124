package egress_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
)

// withEcho opens a house whose site may reach "echo.example", an echo server.
func withEcho(t *testing.T, adjust func(*egress.Options)) (h *house, target string) {
	t.Helper()
	at := echo(t)
	h = newHouse(t, func(o *egress.Options) {
		o.Resolver = newBook().say("echo.example", "127.0.0.1")
		var err error
		if o.Permit, err = egress.ParsePermits([]string{at.String()}); err != nil {
			t.Fatal(err)
		}
		if adjust != nil {
			adjust(o)
		}
	})
	h.open(t, egress.AllowedName{Name: "echo.example", Ports: []int{int(at.Port())}})
	return h, "echo.example:" + strconv.Itoa(int(at.Port()))
}

func TestATunnelIsHalfClosedBothWaysAndCounted(t *testing.T) {
	h, target := withEcho(t, nil)
	conn, reader, status := h.connect(t, target)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // more than all buffers between
	var wait sync.WaitGroup
	wait.Go(func() {
		if _, err := conn.Write(sent); err != nil {
			t.Error(err)
		}
		if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(reader) // ends only if the half-close travels there and back
	wait.Wait()
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
	}
	n := int64(len(sent))
	h.entry(t, "echo.example", func(e spool.Entry) bool {
		return e.Decision == spool.Allowed && e.Site == siteA && e.Sent == n && e.Received == n && e.Bytes == 2*n
	})
}

func TestBytesRightBehindTheRequestArrive(t *testing.T) {
	h, target := withEcho(t, nil)
	conn, err := net.Dial("unix", h.socket(siteA))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\n\r\nearly"); err != nil {
		t.Fatal(err)
	}
	want := "HTTP/1.1 200 OK\r\n\r\nearly"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

func TestASilentTunnelIsClosed(t *testing.T) {
	h, target := withEcho(t, func(o *egress.Options) { o.Idle = 100 * time.Millisecond })
	_, reader, _ := h.connect(t, target)
	if _, err := reader.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("not closed: %v", err)
	}
}

// A long download leaves the other direction silent for longer than the limit.
func TestATunnelInUseOneWayStaysOpen(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	const lines = 30 // twice the limit, in steps far below it
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for range lines {
			time.Sleep(50 * time.Millisecond)
			_, _ = conn.Write([]byte("x"))
		}
	}()
	h := newHouse(t, func(o *egress.Options) {
		o.Resolver, o.Idle = newBook().say("slow.example", "127.0.0.1"), 750*time.Millisecond
		if o.Permit, err = egress.ParsePermits([]string{listener.Addr().String()}); err != nil {
			t.Fatal(err)
		}
	})
	port := listener.Addr().(*net.TCPAddr).Port
	h.open(t, egress.AllowedName{Name: "slow.example", Ports: []int{port}})
	conn, reader, _ := h.connect(t, "slow.example:"+strconv.Itoa(port))
	defer func() { _ = conn.Close() }()
	if got, err := io.ReadFull(reader, make([]byte, lines)); err != nil {
		t.Errorf("closed after %d of %d: %v", got, lines, err)
	}
}

func TestNewTunnelsFollowTheNewListAndOldOnesGoOn(t *testing.T) {
	h, target := withEcho(t, nil)
	conn, reader, status := h.connect(t, target)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	h.list(t)
	h.await(t, "the new list", func() bool {
		_, _, status := h.connect(t, target)
		return status == http.StatusForbidden
	})
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if c, err := reader.ReadByte(); err != nil || c != 'x' {
		t.Errorf("the old tunnel: %q, %v", c, err)
	}
}

func TestRemovingTheListClosesEverything(t *testing.T) {
	h, target := withEcho(t, nil)
	_, reader, _ := h.connect(t, target)
	if err := egress.RemoveList(h.options.ListDir, siteA); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the tunnel stayed: %v", err)
	}
	h.await(t, "the sockets to go", func() bool { return !exists(h.socket(siteA)) && !exists(h.mail(siteA)) })
}

func TestASiteHasOnlySoManyTunnels(t *testing.T) {
	h, target := withEcho(t, func(o *egress.Options) { o.MaxTunnels = 2 })
	first, _, _ := h.connect(t, target)
	if _, _, status := h.connect(t, target); status != http.StatusOK {
		t.Fatalf("second: %d", status)
	}
	if _, _, status := h.connect(t, target); status != http.StatusTooManyRequests {
		t.Errorf("third: %d", status)
	}
	h.entry(t, "echo.example", func(e spool.Entry) bool { return e.Reason == "too many tunnels" })
	_ = first.Close()
	h.await(t, "the place of a closed tunnel", func() bool {
		_, _, status := h.connect(t, target)
		return status == http.StatusOK
	})
}

func TestASiteOpensOnlySoManyTunnelsASecond(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	h, target := withEcho(t, func(o *egress.Options) {
		o.Rate, o.Burst = 1, 3
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	statuses := func(n int) (out []int) {
		for range n {
			_, _, status := h.connect(t, target)
			out = append(out, status)
		}
		return out
	}
	if got := statuses(4); got[2] != http.StatusOK || got[3] != http.StatusTooManyRequests {
		t.Errorf("%v", got)
	}
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	if got := statuses(2); got[0] != http.StatusOK || got[1] != http.StatusTooManyRequests {
		t.Errorf("a second later: %v", got)
	}
	if n := strings.Count(h.logs.String(), "too many attempts"); n != 2 { // reason and error of one line
		t.Errorf("limits fill the log: %d", n)
	}
}

func TestConnectionsThatSayNothingAreBounded(t *testing.T) {
	h, _ := withEcho(t, func(o *egress.Options) { o.MaxTunnels = 1 })
	var conns []net.Conn
	for range 40 {
		conn, err := net.Dial("unix", h.socket(siteA))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
	}
	last := conns[len(conns)-1]
	_ = last.SetReadDeadline(time.Now().Add(3 * time.Second)) // less than a request may take
	if _, err := last.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one too many was kept: %v", err)
	}
}
