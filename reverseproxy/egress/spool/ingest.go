package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	badSuffix = ".bad"
	// maxBad bounds the files that are set aside; the newest stay.
	maxBad = 20
)

// Ingest hands each finished file to take, oldest first, under its name, and
// removes it when take has returned nil; a file may be handed over again after
// a crash in between. One that cannot be read is set aside, and holds up no
// other. The writer is less trusted than we are: no link is followed.
func Ingest(ctx context.Context, dir string, take func(batch string, entries []Entry) error) error {
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
			faults = append(faults, err, os.Rename(path, path+badSuffix))
			continue
		}
		if err == nil {
			err = take(strings.TrimSuffix(filepath.Base(path), suffix), entries)
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the gateway drops the oldest of a full spool
			return errors.Join(append(faults, fmt.Errorf("taking %s: %w", filepath.Base(path), err))...)
		}
	}
	return errors.Join(faults...)
}

// Bad lists the files that were set aside, and removes the oldest of too many.
func Bad(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, prefix+"*"+suffix+badSuffix))
	if err != nil {
		return nil, fmt.Errorf("listing spool: %w", err)
	}
	slices.Sort(paths)
	for len(paths) > maxBad {
		if err := os.Remove(paths[0]); err != nil {
			return paths, fmt.Errorf("removing an old file: %w", err)
		}
		paths = paths[1:]
	}
	return paths, nil
}
