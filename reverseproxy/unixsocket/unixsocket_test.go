package unixsocket_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatiere/reverseproxy/unixsocket"
)

func private(name string) error { return os.Chmod(name, 0o660) }

func TestASocketPassesToASuccessorWithoutAGap(t *testing.T) {
	dir, err := os.MkdirTemp("", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "edge.sock")
	old, err := unixsocket.Listen(path, private)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	successor, err := unixsocket.Listen(path, func(name string) error {
		c, err := net.Dial("unix", path) // the old one's still
		if err != nil {
			return err
		}
		return errors.Join(c.Close(), private(name))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	old.Close() // must not take the successor's name away
	accepted := make(chan error, 1)
	go func() {
		c, err := successor.Accept()
		if err == nil {
			c.Close()
		}
		accepted <- err
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}

func TestUnusablePathsAreRefusedAndKept(t *testing.T) {
	dir := t.TempDir()
	precious := []string{filepath.Join(dir, "file.new"), filepath.Join(dir, "place")}
	for _, file := range precious {
		if err := os.WriteFile(file, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"relative.sock", "/" + strings.Repeat("x", 107), filepath.Join(dir, "file"), filepath.Join(dir, "place")} {
		if l, err := unixsocket.Listen(path, private); !errors.Is(err, unixsocket.ErrPath) {
			t.Errorf("%s: %v, %v", path, l, err)
		}
	}
	for _, file := range precious {
		if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
			t.Errorf("%s was removed: %v", file, err)
		}
	}
	if l, err := unixsocket.Listen(filepath.Join(dir, "missing", "x.sock"), private); err == nil {
		l.Close()
		t.Error("bound in a missing directory")
	}
}

func TestASocketThatCannotBePreparedIsNotThere(t *testing.T) {
	dir, err := os.MkdirTemp("", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cause := errors.New("no such group")
	if _, err := unixsocket.Listen(filepath.Join(dir, "x.sock"), func(string) error { return cause }); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
