package sockets_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"chatiere/reverseproxy/upstream/sockets"
)

func listen(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(filepath.Base(path)))
			_ = c.Close()
		}
	}()
}

func TestDialReachesTheSocketItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own")
	listen(t, path)
	c, err := sockets.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make([]byte, 3)
	if _, err := c.Read(got); err != nil || string(got) != "own" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestDialFollowsNoLinkAndTakesNothingElse(t *testing.T) {
	dir := t.TempDir()
	neighbour := filepath.Join(dir, "neighbour")
	listen(t, neighbour)
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := os.Symlink(neighbour, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, file, dir} {
		if c, err := sockets.Dial(t.Context(), path); !errors.Is(err, sockets.ErrNotSocket) {
			if c != nil {
				_ = c.Close()
			}
			t.Errorf("dialling %s: %v, want ErrNotSocket", filepath.Base(path), err)
		}
	}
}

func TestDialTellsWhyNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	if _, err := sockets.Dial(t.Context(), filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v, want ErrNotExist", err)
	}
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a killed process leaves it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sockets.Dial(t.Context(), dead); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dead: %v, want ECONNREFUSED", err)
	}
}
