package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"chatiere/reverseproxy/spoolfile"
)

// Ingest passes each finished file to store, oldest first, under its name, and
// removes it when store has returned nil; a file may be passed again after a crash
// in between. One that cannot be read is set aside and does not block the others.
// The writer is less trusted than the ingester: no link is followed.
func Ingest(ctx context.Context, dir string, store func(batch string, entries []Entry) error) error {
	paths, err := Files(dir)
	if err != nil {
		return err
	}
	var faults []error
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(faults, err)...)
		}
		entries, err := ReadFile(path)
		if errors.Is(err, ErrLine) {
			faults = append(faults, err, os.Rename(path, path+spoolfile.BadSuffix))
			continue
		}
		if err == nil {
			err = store(strings.TrimSuffix(filepath.Base(path), suffix), entries)
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the gateway drops the oldest of a full spool
			return errors.Join(append(faults, fmt.Errorf("storing %s: %w", filepath.Base(path), err))...)
		}
	}
	return errors.Join(faults...)
}
