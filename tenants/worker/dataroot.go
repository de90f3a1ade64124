package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"chatiere/tenants/records"
)

// DataRoot are the worker's own files on the data root.
type DataRoot struct {
	Lock string // path of the file that one worker locks
	// SiteFiles are the files that every site's container mounts: content by path.
	SiteFiles map[string]string
	// Unfinished are patterns of the temporary files that a killed worker leaves: each would have been renamed when complete.
	Unfinished []string
	Mark       records.File
	Consent    records.Consent
}

const lockInterval = time.Second

// lock takes the data root's worker lock; while another worker holds it, it logs that once and waits.
func (r DataRoot) lock(ctx context.Context, log *slog.Logger) (unlock func(), err error) {
	lock := flock.New(r.Lock)
	taken, err := lock.TryLock()
	if err == nil && !taken {
		log.Warn("another worker works on this data root; waiting for it to end", "lock", r.Lock)
		_, err = lock.TryLockContext(ctx, lockInterval)
	}
	if err != nil {
		return nil, fmt.Errorf("taking the worker's lock: %w", err)
	}
	return func() { _ = lock.Close() }, nil
}

// writeSiteFiles writes the files that every site's container mounts.
func (r DataRoot) writeSiteFiles() error {
	for path, text := range r.SiteFiles {
		if have, err := os.ReadFile(path); err == nil && string(have) == text {
			continue
		}
		// Written in place when it is there: containers hold the file itself, a rename would leave them the old one.
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("making %s: %w", filepath.Dir(path), err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return nil
}

// removeUnfinished removes the temporary files of a killed predecessor. The caller holds the data root's lock, so nobody is
// writing them.
func (r DataRoot) removeUnfinished() error {
	var faults []error
	for _, pattern := range r.Unfinished {
		found, err := filepath.Glob(pattern)
		faults = append(faults, err)
		for _, path := range found {
			faults = append(faults, os.Remove(path))
		}
	}
	return errors.Join(faults...)
}
