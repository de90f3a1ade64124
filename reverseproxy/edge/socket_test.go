package edge_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"chatiere/reverseproxy/edge"
)

func TestASocketHasItsModeAndGroup(t *testing.T) {
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	spec := edge.Socket{Path: filepath.Join(dir, "edge.sock"), Mode: 0o640, Group: 1234}
	if os.Getuid() != 0 { // nobody else may give files away
		spec.Group = os.Getgid()
	}
	l, err := edge.ListenUnix(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(spec.Path)
	if err != nil {
		t.Fatal(err)
	}
	if gid := info.Sys().(*syscall.Stat_t).Gid; info.Mode().Perm() != 0o640 || int(gid) != spec.Group {
		t.Errorf("mode %v, group %d", info.Mode(), gid)
	}
}

// TestInheritedListenerServes runs this test binary once more as the child that inherits.
func TestInheritedListenerServes(t *testing.T) {
	if os.Getenv("EDGE_CHILD") != "" {
		child()
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	// The shell gives its own number, which becomes the child's, as LISTEN_PID.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run '^TestInheritedListenerServes$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "EDGE_CHILD=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=https")
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	l.Close()
	file.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(c); string(got) != "inherited https" {
		t.Errorf("%q, %v", got, err)
	}
}

func child() {
	listeners, err := edge.Inherited(os.Getenv, os.Getpid())
	if err != nil || listeners["https"] == nil {
		os.Exit(3)
	}
	c, err := listeners["https"].Accept()
	if err != nil {
		os.Exit(4)
	}
	io.WriteString(c, "inherited https")
	c.Close()
	os.Exit(0)
}

func TestListenersOfAnotherProcessAreLeftAlone(t *testing.T) {
	env := map[string]string{"LISTEN_FDS": "1", "LISTEN_PID": "1"}
	if got, err := edge.Inherited(func(k string) string { return env[k] }, 4242); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	env["LISTEN_PID"] = "4242"
	for _, n := range []string{"-1", "x", "1000"} {
		env["LISTEN_FDS"] = n
		if _, err := edge.Inherited(func(k string) string { return env[k] }, 4242); err == nil {
			t.Errorf("LISTEN_FDS=%s: accepted", n)
		}
	}
}
