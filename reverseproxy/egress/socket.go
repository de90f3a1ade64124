package egress

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// socketMode lets only the site's group connect.
const socketMode = 0o660

// socket is a listening unix socket and the file that leads to it.
type socket struct {
	listener *net.UnixListener
	path     string
	file     os.FileInfo
}

// openSocket listens at path, replaces a socket that a killed predecessor left, and
// makes sure that the group is the site's: with the wrong group another site could
// use this egress. The socket gets its name when it is ready to accept.
func openSocket(path string, gid int) (*socket, error) {
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing stale socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	listener.SetUnlinkOnClose(false) // close checks first whether the file is still ours
	file, err := grantGroup(fresh, gid)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close(), os.Remove(fresh))
	}
	return &socket{listener: listener, path: path, file: file}, nil
}

func grantGroup(path string, gid int) (os.FileInfo, error) {
	file, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("inspecting socket: %w", err)
	}
	if sys, ok := file.Sys().(*syscall.Stat_t); !ok || int(sys.Gid) != gid {
		return nil, fmt.Errorf("opening %s to group %d: %w", path, gid, ErrGroup)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, fmt.Errorf("opening socket to its group: %w", err)
	}
	return file, nil
}

// checkPlace refuses a path that holds something else than an old socket.
func checkPlace(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("checking for a stale socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w: %s", ErrSocketPath, path)
	}
	return nil
}

// inPlace tells whether the path still leads to this socket.
func (s *socket) inPlace() bool {
	now, err := os.Lstat(s.path)
	return err == nil && os.SameFile(now, s.file)
}

func (s *socket) close() {
	if s.inPlace() {
		_ = os.Remove(s.path)
	}
	_ = s.listener.Close()
}
