// Package unixsocket opens unix sockets in place of those that a predecessor left. It does not know who connects to them.
package unixsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// ErrPath is a path that cannot be used for a socket: too long, not absolute, or taken by something else than a socket.
var ErrPath = errors.New("unusable socket path")

// maxPath is the kernel's limit for sun_path, less its final zero.
const maxPath = 107

// Listen binds a socket beside path, has prepare set its owner and mode, and moves it to path. So the path never lacks a
// listener, and nobody meets one that is not ready: a predecessor that still drains keeps its connections, new ones come
// here. Closing the listener leaves the file, whose name a successor may have taken by then.
func Listen(path string, prepare func(name string) error) (net.Listener, error) {
	fresh := path + ".new"
	if !filepath.IsAbs(path) || len(fresh) > maxPath {
		return nil, fmt.Errorf("%w: %s", ErrPath, path)
	}
	if err := errors.Join(check(path), check(fresh)); err != nil {
		return nil, err
	}
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing stale socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("binding %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	if err = prepare(fresh); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), l.Close(), os.Remove(fresh))
	}
	return l, nil
}

// check returns an error if something else than a socket is at path.
func check(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		err = fmt.Errorf("%w: %s is no socket", ErrPath, path)
	}
	return err
}
