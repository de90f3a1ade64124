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

// ErrIll is a gateway that does not serve the sites.
var ErrIll = errors.New("the gateway does not serve")

// asked is how many sites' sockets a look at the gateway tries at most.
const asked = 8

// Health looks from beside the gateway whether it is at work: it holds its lock, and accepts connections of one of the
// first sites at least. One site's lost socket is that site's trouble and not the gateway's.
func Health(ctx context.Context, spoolDir, listDir, runDir string) error {
	if err := held(filepath.Join(spoolDir, ".lock")); err != nil {
		return err
	}
	entries, err := os.ReadDir(listDir)
	if err != nil {
		return fmt.Errorf("looking for the sites' lists: %w", err)
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
		if faults = append(faults, err); len(faults) == asked {
			break
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %w", ErrIll, errors.Join(faults...))
	}
	return nil
}

// held wants somebody to hold the lock.
func held(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIll, err)
	}
	defer func() { _ = file.Close() }() // gives a lock back that we got
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	return errors.Join(fmt.Errorf("%w: nobody holds its lock", ErrIll), err)
}
