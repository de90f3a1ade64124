package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
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
		list, err := ReadList(filepath.Join(listDir, e.Name()))
		if err != nil {
			list = List{Site: site} // damaged: the last good one is in force, most likely with the same sockets
		}
		conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(socketDir(runDir, list), egressSocket))
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
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY)) // never creates it
	free, err := lock.TryRLock()
	if err == nil && !free {
		return nil
	}
	return errors.Join(fmt.Errorf("%w: nobody holds its lock", ErrUnhealthy), err, lock.Close())
}
