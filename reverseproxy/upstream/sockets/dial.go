// Package sockets connects to unix sockets that lie where somebody else may write. Whoever owns the directory could put a
// symbolic link there that leads to a neighbour's socket, or to the platform's own; the link would be followed with our
// rights. Dial connects to the socket itself or not at all.
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

// ErrNotSocket tells that what lies at the path is a link or something else than a socket.
var ErrNotSocket = errors.New("not a socket")

// Dial connects to the socket at path, without following a link in its last component. The directories above must be
// ones that nobody untrusted can replace. The file is held open between the look at it and the connection, so that it
// cannot be exchanged in between.
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
