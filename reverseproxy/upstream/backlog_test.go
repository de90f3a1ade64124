package upstream_test

import (
	"errors"
	"io"
	"syscall"
	"testing"
)

// tinyBacklog listens with room for one waiting connection, which net.Listen cannot be told, and
// returns a function that serves one request on each connection.
func tinyBacklog(t *testing.T, socket string) (accept func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Shutdown(fd, syscall.SHUT_RDWR) })
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	return func() {
		for {
			c, _, err := syscall.Accept(fd)
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			if _, err := syscall.Read(c, buf); err != nil && !errors.Is(err, io.EOF) {
				return
			}
			syscall.Write(c, []byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
			syscall.Close(c)
		}
	}
}
