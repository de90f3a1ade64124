// Package sockets connects to unix sockets in directories that somebody else can write to. The owner of the directory
// could put a symbolic link there that points to another site's socket or to the platform's own, and it would be followed
// with our rights. Dial connects to the socket itself or fails.
package sockets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotSocket means that the path is a link or another file that is not a socket.
var ErrNotSocket = errors.New("not a socket")

// Dial connects to the socket at path, without following a link in its last component. The directories above must be
// ones that nobody untrusted can replace. The file is kept open from the check to the connection, so that it cannot be
// replaced in between.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("open", err)}
	}
	defer func() { _ = unix.Close(fd) }() // a path descriptor holds nothing that closing could lose
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("fstat", err)}
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: fmt.Errorf("%s: %w", path, ErrNotSocket)}
	}
	return new(net.Dialer).DialContext(ctx, "unix", "/proc/self/fd/"+strconv.Itoa(fd))
}
