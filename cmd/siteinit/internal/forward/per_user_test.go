package forward_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
)

// greeting serves "hello" to everybody who is let in, three per user, and returns its socket.
func greeting(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.sock")
	listener, err := forward.ListenMode(t.Context(), forward.Address{Network: "unix", Address: path}, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	hello := func(ctx context.Context, conn net.Conn) {
		_, _ = io.WriteString(conn, "hello")
		_, _ = io.Copy(io.Discard, conn) // until it goes
		_ = conn.Close()
	}
	go func() {
		defer close(done)
		forward.Serve(ctx, listener, 100, forward.PerUser(3, hello, func(err error) { t.Error(err) }), slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() { stop(); <-done })
	return path
}

// greeted tells whether a connection was let in.
func greeted(t *testing.T, path string) (net.Conn, bool) {
	t.Helper()
	conn, err := net.DialTimeout("unix", path, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 5)
	_, err = io.ReadFull(conn, b)
	return conn, err == nil
}

// asUser holds n connections as a site's user and tells how many were let in.
func asUser(t *testing.T, path string, uid uint32, n string) string {
	t.Helper()
	cmd := exec.Command("perl", "-MIO::Socket::UNIX", "-e", `my ($p, $n) = @ARGV; my (@h, $in);
		for (1..$n) { my $s = IO::Socket::UNIX->new(Peer => $p) or next; push @h, $s; my $b; $in++ if sysread($s, $b, 5); } print $in+0;`, path, n)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAUserGetsNoMoreThanTheirConnectionsAndKeepsNobodyElseOut(t *testing.T) {
	path := greeting(t)
	for range 10 { // the platform's own are not bounded
		if _, in := greeted(t, path); !in {
			t.Fatal("one of the platform's own was kept out")
		}
	}
	for _, uid := range []uint32{200001, 200002, 200001} {
		if in := asUser(t, path, uid, "8"); in != "3" {
			t.Errorf("user %d had %s connections at a time, want 3", uid, in)
		}
	}
}
