package edge

import (
	"io/fs"
	"net"
	"net/http"
	"os"

	"chatiere/reverseproxy/unixsocket"
)

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

// ListenUnix opens s in place of a predecessor's socket.
func ListenUnix(s Socket) (net.Listener, error) {
	return unixsocket.Listen(s.Path, func(name string) error {
		if s.Group != 0 {
			if err := os.Chown(name, -1, s.Group); err != nil {
				return err
			}
		}
		return os.Chmod(name, s.Mode)
	})
}
