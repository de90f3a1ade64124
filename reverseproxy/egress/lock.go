package egress

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockSpool takes the lock that prevents two gateways (while one replaces the
// other) from unlinking each other's sockets. It waits for the other one to end;
// if ctx ends first it returns nil.
func lockSpool(ctx context.Context, dir string, log *slog.Logger) (unlock func(), err error) {
	lock := flock.New(filepath.Join(dir, ".lock"))
	taken, err := lock.TryLock()
	if err == nil && !taken {
		log.Warn("another gateway is running, waiting for its end", "dir", dir)
		taken, err = lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	switch {
	case taken:
		return func() { _ = lock.Close() }, nil
	case ctx.Err() != nil:
		return nil, lock.Close()
	}
	return nil, fmt.Errorf("locking spool: %w", err)
}
