package forward_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"chatiere/cmd/siteinit/internal/forward"
)

const hostile, neighbour = "s000000001", "s000000002"

// crowd is a directory with one for each of two sites, served three connections each.
func crowd(t *testing.T, handle forward.Handler) string {
	t.Helper()
	dir := shortDir(t)
	for _, site := range []string{hostile, neighbour} {
		if err := os.Mkdir(filepath.Join(dir, site), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sites := &forward.Sites{Dir: dir, Name: "x.sock", Limit: 3, Handle: func(string) forward.Handler { return handle }, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); sites.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	for _, site := range []string{hostile, neighbour} {
		answered(t, dir, site)
	}
	return dir
}

// hello greets and waits until the other end goes.
func hello(_ context.Context, conn net.Conn) {
	_, _ = io.WriteString(conn, "hello")
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}

// greets reports whether a site's socket answers.
func greets(dir, site string) error {
	conn, err := net.DialTimeout("unix", filepath.Join(dir, site, "x.sock"), 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = io.ReadFull(conn, make([]byte, 5))
	return err
}

func answered(t *testing.T, dir, site string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = greets(dir, site); err == nil {
			return
		}
	}
	t.Fatalf("the socket of %s does not answer: %v", site, err)
}

// fill connects until the kernel refuses, and leaves all of them open. It returns how many there were.
func fill(t *testing.T, path string) int {
	t.Helper()
	n := 0
	for ; n < 10_000; n++ {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return n
		}
	}
	return n
}

func TestAFloodOfOneSiteCostsItsNeighbourNoConnection(t *testing.T) {
	dir := crowd(t, hello)
	if n := fill(t, filepath.Join(dir, hostile, "x.sock")); n == 10_000 {
		t.Fatal("the queue never filled")
	}
	if greets(dir, hostile) == nil {
		t.Error("the flood is not felt by the site that made it, so it was none")
	}
	for range 50 {
		if err := greets(dir, neighbour); err != nil {
			t.Fatalf("the neighbour was refused: %v", err)
		}
	}
}

func TestSocketsFollowTheDirectoriesOfSites(t *testing.T) {
	dir := crowd(t, hello)
	if err := os.RemoveAll(filepath.Join(dir, hostile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, hostile), 0o755); err != nil { // as after a reboot, or for a restored site
		t.Fatal(err)
	}
	answered(t, dir, hostile)
	answered(t, dir, neighbour)
}

func TestNothingIsMadeInADirectoryThatIsNoSites(t *testing.T) {
	dir := shortDir(t)
	for _, name := range []string{"other", neighbour} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sites := &forward.Sites{Dir: dir, Name: "x.sock", Limit: 3, Handle: func(string) forward.Handler { return hello }, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); sites.Run(ctx) }()
	answered(t, dir, neighbour)
	stop()
	<-done
	if _, err := os.Lstat(filepath.Join(dir, "other", "x.sock")); err == nil {
		t.Error("a socket was made in a directory that is none of a site's")
	}
}

func TestACarrierWaitsForRoomInTheQueueOfAServer(t *testing.T) {
	path := filepath.Join(shortDir(t), "server.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	full := fill(t, path)
	file := os.NewFile(uintptr(fd), path)
	server, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	t.Cleanup(func() { _ = server.Close() })

	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = ours.Close() })
	go forward.Plain(forward.Address{Network: "unix", Address: path}, func(err error) { t.Error(err) })(t.Context(), theirs)
	time.AfterFunc(50*time.Millisecond, func() { // a server that accepts only once the queue was found full
		for range full + 1 {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go hello(t.Context(), conn)
		}
	})
	_ = ours.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(ours, make([]byte, 5)); err != nil {
		t.Errorf("the connection was not carried: %v", err)
	}
}
