package edge

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

const maxSocketPath = 107

// Socket is a unix socket to listen on.
type Socket struct {
	Path string
	Mode fs.FileMode
	// Group is the socket's group; 0 leaves that of the directory or process.
	Group int
	// Peer is the name of the callers, for limits and logs.
	Peer string
	// SendsOrigin means that each connection begins with an origin line; each origin is then a client of its own.
	SendsOrigin bool
	// Allow reports whether a request may come through this socket; nil allows all. An origin may only reach its own host
	// in any case.
	Allow func(*http.Request) bool
}

// ListenUnix binds s beside its path and then moves it there, so that the path never lacks a listener:
// a predecessor that still drains keeps its connections, new ones come here.
func ListenUnix(s Socket) (net.Listener, error) {
	fresh := s.Path + ".new"
	if !filepath.IsAbs(s.Path) || len(fresh) > maxSocketPath {
		return nil, fmt.Errorf("%w: %s", ErrSocketPath, s.Path)
	}
	if err := removeSocket(fresh); err != nil {
		return nil, fmt.Errorf("removing stale socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("binding %s: %w", s.Path, err)
	}
	l.SetUnlinkOnClose(false) // by then a successor may be binding under that name
	if err := publish(s, fresh); err != nil {
		return nil, errors.Join(fmt.Errorf("publishing %s: %w", s.Path, err), l.Close(), removeSocket(fresh))
	}
	return l, nil
}

func publish(s Socket, fresh string) error {
	if s.Group != 0 {
		if err := os.Chown(fresh, -1, s.Group); err != nil {
			return err
		}
	}
	if err := os.Chmod(fresh, s.Mode); err != nil {
		return err
	}
	return os.Rename(fresh, s.Path)
}

// removeSocket removes a socket and nothing else.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w: %s is no socket", ErrSocketPath, path)
	}
	return os.Remove(path)
}
