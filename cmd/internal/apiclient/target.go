package apiclient

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chatiere/cmd/internal/config"
)

// Target is where to find the panel; the first field that is set counts. When none is, the panel on this machine is found
// by its socket.
type Target struct {
	Socket string // of the panel ($CHATIERE_SOCKET)
	URL    string // of the panel ($CHATIERE_URL), with Token ($CHATIERE_TOKEN)
	Token  string
	CA     string   // certificate authority to trust besides the system's ($CHATIERE_CA)
	Config string   // the instance's configuration file
	Env    []string // overrides what the configuration file says
	Roots  string   // pattern of data roots to look in; "" is DefaultRoots
	Hint   string   // file that names the socket, such as the demo leaves beside the program
}

// DefaultRoots are where data roots lie unless somebody chose another place.
const DefaultRoots = config.DefaultRoot + "*"

// Connect returns a client of the target's panel.
func Connect(p Target) (*Client, error) {
	if p.Socket == "" && p.URL != "" {
		return OverHTTPS(p.URL, p.Token, p.CA)
	}
	socket, err := p.find(func(panel string) string { return panel }, config.Paths.CLISocket)
	if err != nil {
		return nil, err
	}
	return OverSocket(socket), nil
}

// find returns a socket of the target: beside that of the panel, where that is named, or below the data root.
func (p Target) find(beside func(panel string) string, below func(config.Paths) string) (string, error) {
	if p.Socket != "" {
		return beside(p.Socket), nil
	}
	if p.Config != "" {
		c, err := config.Load(p.Config, p.Env)
		return below(c.Paths()), err
	}
	if socket, ok := readHint(p.Hint); ok {
		return beside(socket), nil
	}
	return findRunning(p.Roots, below)
}

// readHint returns the socket that the hint file names, if it answers.
func readHint(file string) (string, bool) {
	hint, err := os.ReadFile(file)
	socket := strings.TrimSpace(string(hint))
	return socket, err == nil && isListening(socket)
}

// findRunning finds the one instance on this machine whose socket answers.
func findRunning(pattern string, socketOf func(config.Paths) string) (string, error) {
	if pattern == "" {
		pattern = DefaultRoots
	}
	roots, err := filepath.Glob(pattern)
	if err != nil {
		return "", fmt.Errorf("looking for data roots: %w", err)
	}
	var found []string
	for _, root := range roots {
		if socket := socketOf(config.PathsBelow(root)); isListening(socket) {
			found = append(found, socket)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w on this machine: start the platform, run as root, or set CHATIERE_URL and CHATIERE_TOKEN", ErrNoPanel)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%w: set CHATIERE_SOCKET to one of %s", ErrManyPanels, strings.Join(found, ", "))
}

// isListening reports whether a process listens on a socket; one left by a dead panel refuses connections.
func isListening(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	return !errors.Is(conn.Close(), net.ErrClosed)
}
