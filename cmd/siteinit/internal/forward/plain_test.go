package forward_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"chatiere/cmd/siteinit/internal/forward"
)

func TestAddressesAreRead(t *testing.T) {
	for text, want := range map[string]forward.Address{
		"unix:/run/x.sock":   {Network: "unix", Address: "/run/x.sock"},
		"tcp:127.0.0.1:8080": {Network: "tcp", Address: "127.0.0.1:8080"},
		"tcp:[::1]:8080":     {Network: "tcp", Address: "[::1]:8080"},
		"unix:x.sock":        {}, "tcp:8080": {}, "udp:127.0.0.1:53": {}, "/run/x.sock": {}, "": {},
	} {
		got, err := forward.ParseAddress(text)
		if got != want || (want == forward.Address{}) != errors.Is(err, forward.ErrAddress) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestAStaleSocketIsReplacedAndOpenToItsGroup(t *testing.T) {
	path := filepath.Join(shortDir(t), "x.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	listener, err := forward.Listen(t.Context(), forward.Address{Network: "unix", Address: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAFileThatIsNoSocketStays(t *testing.T) {
	path := filepath.Join(shortDir(t), "precious")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := forward.Listen(t.Context(), forward.Address{Network: "unix", Address: path}); err == nil {
		t.Error("listening on a file succeeded")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%v", err)
	}
}

func TestPlainForwardingPassesHalfCloses(t *testing.T) {
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		all, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("got "), all...))
		_ = conn.Close()
	}()
	port := listen(t, "127.0.0.1", 4, forward.Plain(forward.Address{Network: "tcp", Address: server.Addr().String()}, quiet))
	conn := dial(t, "127.0.0.1", port)
	_, _ = io.WriteString(conn, "this")
	_ = conn.CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "got this" {
		t.Errorf("%q, %v", got, err)
	}
}
