package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrUnhealthy means that the gateway does not serve the sites.
var ErrUnhealthy = errors.New("the gateway does not serve")

// maxProbes is how many sites' sockets Health tries at most.
const maxProbes = 8

// Health checks the gateway from another process: it must hold its lock and accept connections on the socket of at least
// one of the first sites. A single missing socket is a fault of that site, not of the gateway.
func Health(ctx context.Context, spoolDir, listDir, runDir string) error {
	if err := checkLock(filepath.Join(spoolDir, ".lock")); err != nil {
		return err
	}
	entries, err := os.ReadDir(listDir)
	if err != nil {
		return fmt.Errorf("reading the sites' lists: %w", err)
	}
	var faults []error
	for _, e := range entries {
		site, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasPrefix(site, ".") {
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(runDir, site, "gate", "egress.sock"))
		if err == nil {
			return conn.Close()
		}
		if faults = append(faults, err); len(faults) == maxProbes {
			break
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %w", ErrUnhealthy, errors.Join(faults...))
	}
	return nil
}

// checkLock returns an error if no process holds the lock.
func checkLock(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnhealthy, err)
	}
	defer func() { _ = file.Close() }() // gives a lock back that we got
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	return errors.Join(fmt.Errorf("%w: nobody holds its lock", ErrUnhealthy), err)
}
