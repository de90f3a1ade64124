package main_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// box is a place for one running siteinit.
type box struct {
	dir     string
	log     *output
	cmd     *exec.Cmd
	port    string // where names' connections arrive
	later   string // the same, once the gateway has named it
	dns     string
	mail    string
	environ []string
}

type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func newBox(t *testing.T, config string) *box {
	t.Helper()
	dir, err := os.MkdirTemp("", "box")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &box{dir: dir, log: &output{}, port: freePort(t), later: freePort(t)}
	b.dns, b.mail = "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	if err := os.WriteFile(b.path("config"), []byte(strings.ReplaceAll(config, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	b.environ = []string{
		"EGRESS_SOCKET=" + b.path("egress.sock"), "SMTP_SOCKET=" + b.path("smtp.sock"), "SITE_HOST=asso.chatiere.localhost",
		"SITE_URL=https://asso.chatiere.localhost:" + b.port,
	}
	return b
}

func (b *box) path(name string) string { return filepath.Join(b.dir, name) }

func (b *box) flags() []string {
	return []string{"-config", b.path("config"), "-dns", b.dns, "-mail", b.mail}
}

func (b *box) start(t *testing.T, args ...string) {
	t.Helper()
	b.cmd = exec.Command(binary, args...)
	b.cmd.Env = append(os.Environ(), b.environ...)
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.cmd.Process.Kill() })
}

func (b *box) await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s; output:\n%s", what, b.log)
		}
	}
}

func (b *box) says(t *testing.T, word string) {
	t.Helper()
	b.await(t, word, func() bool { return strings.Contains(b.log.String(), word) })
}

func (b *box) lookup(name string) ([]netip.Addr, error) {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, b.dns)
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return resolver.LookupNetIP(ctx, "ip4", name+".")
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}
