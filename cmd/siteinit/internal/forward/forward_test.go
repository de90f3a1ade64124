package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
)

// gateway is a stand-in that answers every request with one head and then
// echoes; it remembers the request lines.
type gateway struct {
	socket string
	mu     sync.Mutex
	lines  []string
}

func newGateway(t *testing.T, head string) *gateway {
	t.Helper()
	g := &gateway{socket: filepath.Join(shortDir(t), "g.sock")}
	listener, err := net.Listen("unix", g.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go g.serve(conn, head)
		}
	}()
	return g
}

func (g *gateway) serve(conn net.Conn, head string) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		if line == "\r\n" {
			break
		}
		g.mu.Lock()
		g.lines = append(g.lines, strings.TrimSpace(line))
		g.mu.Unlock()
	}
	_, _ = io.WriteString(conn, head)
	if strings.Contains(head, " 200 ") {
		_, _ = io.Copy(conn, reader)
	}
}

func (g *gateway) asked() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.lines, "|")
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// listen serves a handler on an address and returns that with its port.
func listen(t *testing.T, host string, limit int, handle forward.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp4", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		forward.Serve(ctx, listener, limit, handle, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() { cancel(); <-done })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

type names map[string]string

func (n names) Name(at netip.Addr) (string, bool) {
	name, ok := n[at.String()]
	return name, ok
}

func quiet(error) {}

func dial(t *testing.T, host, port string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp4", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*net.TCPConn)
}

var book = names{"127.66.1.2": "a.example", "127.66.1.3": "b.example"}

func TestAConnectionGoesToTheNameOfItsAddress(t *testing.T) {
	g := newGateway(t, "HTTP/1.1 200 OK\r\n\r\n")
	port := listen(t, "0.0.0.0", 8, forward.Egress(g.socket, "", book, quiet))
	conn := dial(t, "127.66.1.3", port)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var wait sync.WaitGroup
	wait.Go(func() {
		if _, err := conn.Write(sent); err != nil {
			t.Error(err)
		}
		if err := conn.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(conn)
	wait.Wait()
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d back, %v", len(got), len(sent), err)
	}
	if want := "CONNECT b.example:" + port + " HTTP/1.1|Host: b.example:" + port; g.asked() != want {
		t.Errorf("asked %q, want %q", g.asked(), want)
	}
}

func TestBytesBehindTheAnswerArrive(t *testing.T) {
	g := newGateway(t, "HTTP/1.1 200 OK\r\nX-More: 1\r\n\r\n220 hello\r\n")
	port := listen(t, "0.0.0.0", 8, forward.Egress(g.socket, "", book, quiet))
	line, err := bufio.NewReader(dial(t, "127.66.1.2", port)).ReadString('\n')
	if err != nil || line != "220 hello\r\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestRefusalsResetTheConnectionAtOnce(t *testing.T) {
	for what, head := range map[string]string{
		"refused":        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
		"not reached":    "HTTP/1.1 502 Bad Gateway\r\n\r\n",
		"not HTTP":       "220 hello\r\n\r\n",
		"endless answer": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: 1\r\n", 1000),
		"gone":           "",
	} {
		g := newGateway(t, head)
		port := listen(t, "0.0.0.0", 8, forward.Egress(g.socket, "", book, quiet))
		expectReset(t, what, "127.66.1.2", port)
	}
}

func TestTheGatewayIsAskedAboutNames(t *testing.T) {
	for head, want := range map[string]error{
		"HTTP/1.1 204 No Content\r\nX-Ports: 7\r\nPorts: 443, 587,x,70000,0\r\n\r\n": nil,
		"HTTP/1.1 403 Forbidden\r\n\r\n":                                             forward.ErrForbidden,
		"HTTP/1.1 429 Too Many Requests\r\n\r\n":                                     forward.ErrRefused,
		"":                                                                           io.EOF,
	} {
		g := newGateway(t, head)
		ports, err := forward.AllowedPorts(t.Context(), g.socket, "a.example")
		if !errors.Is(err, want) || (err == nil) != slices.Equal(ports, []int{443, 587}) {
			t.Errorf("%q: %v, %v", head, ports, err)
		}
		if g.asked() != "HEAD /a.example HTTP/1.1|Host: gateway" {
			t.Errorf("asked %q", g.asked())
		}
	}
	_, err := forward.AllowedPorts(t.Context(), "/nonexistent", "a.example")
	if err == nil || errors.Is(err, forward.ErrRefused) {
		t.Errorf("without gateway: %v", err)
	}
}

func TestAnAbsentGatewayResetsAndIsReported(t *testing.T) {
	reported := make(chan error, 1)
	socket := filepath.Join(t.TempDir(), "none.sock")
	port := listen(t, "0.0.0.0", 8, forward.Egress(socket, "", book, func(err error) { reported <- err }))
	expectReset(t, "absent", "127.66.1.2", port)
	if err := <-reported; !errors.Is(err, fs.ErrNotExist) || errors.Is(err, forward.ErrRefused) {
		t.Errorf("%v", err)
	}
}

// expectReset wants a reset at once; it may come before dialling returns.
func expectReset(t *testing.T, what, host, port string) {
	t.Helper()
	start := time.Now()
	conn, err := net.Dial("tcp4", net.JoinHostPort(host, port))
	if err == nil {
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%s: %v", what, err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("%s: took %v", what, took)
	}
}

func TestAddressesWithoutNameLeadNowhere(t *testing.T) {
	g := newGateway(t, "HTTP/1.1 200 OK\r\n\r\n")
	port := listen(t, "0.0.0.0", 8, forward.Egress(g.socket, "", book, quiet))
	for _, host := range []string{"127.66.9.9", "127.0.0.1", "127.0.0.2"} {
		expectReset(t, host, host, port)
	}
	// The gateway is told of addresses that stand for no name, since it notes what is tried.
	for deadline := time.Now().Add(10 * time.Second); strings.Count(g.asked(), "CONNECT") < 2 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	for host, want := range map[string]bool{"127.66.9.9": false, "127.0.0.1": true, "127.0.0.2": true} {
		if strings.Contains(g.asked(), "CONNECT "+host+":"+port+" ") != want {
			t.Errorf("%s: asked %q", host, g.asked())
		}
	}
}

func TestANameThatIsLoopbackByItselfFindsItsSite(t *testing.T) {
	g := newGateway(t, "HTTP/1.1 200 OK\r\n\r\nx")
	port := listen(t, "0.0.0.0", 8, forward.Egress(g.socket, "asso.chatiere.localhost", book, quiet))
	if _, err := dial(t, "127.0.0.1", port).Read(make([]byte, 1)); err != nil {
		t.Errorf("%v", err)
	}
	if !strings.HasPrefix(g.asked(), "CONNECT asso.chatiere.localhost:"+port+" ") {
		t.Errorf("asked %q", g.asked())
	}
	expectReset(t, "another loopback address", "127.0.0.2", port)
}

func TestConnectionsBeyondTheLimitAreReset(t *testing.T) {
	g := newGateway(t, "HTTP/1.1 200 OK\r\n\r\nx")
	port := listen(t, "0.0.0.0", 1, forward.Egress(g.socket, "", book, quiet))
	first := dial(t, "127.66.1.2", port)
	if _, err := first.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	expectReset(t, "second", "127.66.1.2", port)
	_ = first.Close()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if conn, err := net.Dial("tcp4", net.JoinHostPort("127.66.1.2", port)); err == nil {
			_, err = conn.Read(make([]byte, 1))
			_ = conn.Close()
			if err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the place did not come free")
		}
	}
}

func TestStoppingEndsOpenConnections(t *testing.T) {
	g := newGateway(t, "HTTP/1.1 200 OK\r\n\r\nx")
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		forward.Serve(ctx, listener, 8, forward.Egress(g.socket, "", book, quiet), slog.New(slog.DiscardHandler))
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	conn := dial(t, "127.66.1.2", port)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("an open connection holds the end up")
	}
}

func TestMailIsForwardedOrPutOff(t *testing.T) {
	socket := filepath.Join(shortDir(t), "smtp.sock")
	port := listen(t, "127.0.0.1", 8, forward.Mail(socket, quiet))
	if got, err := io.ReadAll(dial(t, "127.0.0.1", port)); err != nil || !strings.HasPrefix(string(got), "421 ") {
		t.Errorf("without gateway: %q, %v", got, err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.WriteString(conn, "220 relay\r\n")
			_ = conn.Close()
		}
	}()
	if got, err := io.ReadAll(dial(t, "127.0.0.1", port)); err != nil || string(got) != "220 relay\r\n" {
		t.Errorf("with gateway: %q, %v", got, err)
	}
}
