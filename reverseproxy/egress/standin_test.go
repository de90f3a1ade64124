package egress_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
)

const (
	siteA = "saaaaaaaa1"
	siteB = "sbbbbbbbb2"
	gidA  = 200123
	gidB  = 200124
	// gatewayUID is what the gateway runs as where it is not root.
	gatewayUID = 64030
	hostA      = "asso.coop.test"
)

// book is a resolver whose answers the test writes. Each look-up takes the next
// answer; the last one stays.
type book struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr
	asked   map[string]int
}

func newBook() *book {
	return &book{answers: map[string][][]netip.Addr{}, asked: map[string]int{}}
}

func (b *book) say(name string, answers ...string) *book {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range answers {
		b.answers[name+"."] = append(b.answers[name+"."], []netip.Addr{netip.MustParseAddr(text)})
	}
	return b
}

func (b *book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[host]++
	answers := b.answers[host]
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		b.answers[host] = answers[1:]
	}
	return answers[0], nil
}

// house is a data root with a gateway running on it.
type house struct {
	root    string
	options egress.Options
	logs    *logBook
	stop    func()
}

// newHouse starts a gateway; adjust may change its options first.
func newHouse(t *testing.T, adjust func(*egress.Options)) *house {
	t.Helper()
	h := &house{root: shortDir(t), logs: &logBook{}}
	h.options = egress.Options{
		ListDir:    filepath.Join(h.root, "egress"),
		RunDir:     filepath.Join(h.root, "app"),
		EdgeSocket: filepath.Join(h.root, "edge.sock"),
		SpoolDir:   filepath.Join(h.root, "spool"),
		PublicPort: 8443,
		Rescan:     20 * time.Millisecond,
		Flush:      20 * time.Millisecond,
	}
	if err := os.MkdirAll(h.options.ListDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if adjust != nil {
		adjust(&h.options)
	}
	h.start(t)
	return h
}

func (h *house) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- egress.Run(ctx, h.options, slog.New(slog.NewTextHandler(h.logs, nil))) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("gateway ended with %v", err)
		}
	})
	t.Cleanup(func() { h.stop() })
}

// shortDir is a directory whose socket paths stay below 108 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "egress")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// gateDir makes a site's gate directory as the worker does.
func (h *house) gateDir(t *testing.T, site string, gid int) string {
	t.Helper()
	dir := filepath.Join(h.options.RunDir, site, "gate")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, gatewayUID, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o750|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open gives site A a list and waits for its sockets.
func (h *house) open(t *testing.T, allow ...egress.AllowedName) {
	t.Helper()
	h.gateDir(t, siteA, gidA)
	h.list(t, allow...)
	h.await(t, "the socket of site A", func() bool { return exists(h.socket(siteA)) && exists(h.mail(siteA)) })
}

func (h *house) list(t *testing.T, allow ...egress.AllowedName) {
	t.Helper()
	l := egress.List{Site: siteA, GID: gidA, Host: hostA, Allow: allow}
	if err := egress.WriteList(h.options.ListDir, l); err != nil {
		t.Fatal(err)
	}
}

func (h *house) socket(site string) string {
	return filepath.Join(h.options.RunDir, site, "gate", "egress.sock")
}

func (h *house) mail(site string) string {
	return filepath.Join(h.options.RunDir, site, "gate", "smtp.sock")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (h *house) await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s; log:\n%s", what, h.logs)
		}
	}
}

// connect sends a CONNECT and returns the connection and the status.
func (h *house) connect(t *testing.T, target string) (net.Conn, *bufio.Reader, int) {
	t.Helper()
	return h.request(t, http.MethodConnect, target, target)
}

// knows asks about a name, as the site's resolver does.
func (h *house) knows(t *testing.T, name string) int {
	t.Helper()
	_, _, status := h.request(t, http.MethodHead, "/"+name, "gateway")
	return status
}

func (h *house) request(t *testing.T, method, target, host string) (net.Conn, *bufio.Reader, int) {
	t.Helper()
	conn, err := net.Dial("unix", h.socket(siteA))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", method, target, host); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("asking for %s: %v", target, err)
	}
	return conn, reader, response.StatusCode
}

// entry waits for the spool to say something about a name.
func (h *house) entry(t *testing.T, name string, fits func(spool.Entry) bool) spool.Entry {
	t.Helper()
	var found spool.Entry
	h.await(t, "a spool entry of "+name, func() bool {
		paths, err := spool.Format.Files(h.options.SpoolDir)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			entries, err := spool.Format.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name == name && fits(e) {
					found = e
					return true
				}
			}
		}
		return false
	})
	return found
}

type logBook struct {
	mu   sync.Mutex
	text []byte
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// echo is a server that returns what it gets, and closes when its peer has.
func echo(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).AddrPort()
}
