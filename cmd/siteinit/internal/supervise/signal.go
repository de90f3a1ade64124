package supervise

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrSignal says that a configuration names a signal that does not exist.
var ErrSignal = errors.New("unknown signal")

// ParseSignal reads "QUIT" or "SIGQUIT"; nothing means SIGTERM.
func ParseSignal(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGTERM, nil
	}
	full := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if s := unix.SignalNum(full); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("%w %q", ErrSignal, name)
}

// AdoptOrphans makes this process the parent of its children's orphans, as
// process 1 is by nature, so that none stays a zombie.
func AdoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}
