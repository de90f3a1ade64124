package egress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockSpool takes the lock that prevents two gateways (while one replaces the
// other) from unlinking each other's sockets. It waits for the other one to end;
// if ctx ends first it returns nil.
func lockSpool(ctx context.Context, dir string, log *slog.Logger) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking spool: %w", err)
	}
	for waited := false; ; waited = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("locking spool: %w", err), file.Close())
		}
		if !waited {
			log.Warn("another gateway is running, waiting for its end", "dir", dir)
		}
		select {
		case <-ctx.Done():
			return nil, file.Close()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
