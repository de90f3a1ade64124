package egress

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"chatiere/reverseproxy/unixsocket"
)

// socketMode lets only the site's group connect.
const socketMode = 0o660

// socket is a listening unix socket and the file that leads to it.
type socket struct {
	listener net.Listener
	path     string
	file     os.FileInfo
}

// openSocket listens at path, replaces a socket that a killed predecessor left, and
// makes sure that the group is the site's: with the wrong group another site could
// use this egress. The socket gets its name when it is ready to accept.
func openSocket(path string, gid int) (*socket, error) {
	var file os.FileInfo
	listener, err := unixsocket.Listen(path, func(name string) (err error) {
		file, err = grantGroup(name, gid)
		return err
	})
	if err != nil {
		return nil, err
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
