package edge

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

const (
	firstInherited = 3 // after standard input, output and error
	maxInherited   = 64
)

// Inherited returns the listeners that the parent process passed by the LISTEN_FDS protocol, by their
// names in LISTEN_FDNAMES (or "0", "1", … where there are none). There are none if LISTEN_PID names
// another process. The caller should unset the three variables.
func Inherited(getenv func(string) string, pid int) (map[string]net.Listener, error) {
	if getenv("LISTEN_FDS") == "" || getenv("LISTEN_PID") != strconv.Itoa(pid) {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > maxInherited {
		return nil, fmt.Errorf("%w: LISTEN_FDS=%q", ErrInherited, getenv("LISTEN_FDS"))
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	out := make(map[string]net.Listener, n)
	for i := range n {
		name := strconv.Itoa(i)
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		l, err := inherit(firstInherited+i, name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrInherited, name, err), closeAll(out))
		}
		out[name] = l
	}
	return out, nil
}

func inherit(fd int, name string) (net.Listener, error) {
	file := os.NewFile(uintptr(fd), name)
	l, err := net.FileListener(file) // works on a duplicate
	return l, errors.Join(err, file.Close())
}

func closeAll(listeners map[string]net.Listener) error {
	var err error
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}
