package spoolfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
)

// suffix ends the name of a finished file.
const suffix = ".jsonl"

// Format describes the files of one kind.
type Format[T any] struct {
	Prefix  string // begins their names
	MaxFile int64
	MaxLine int
	Valid   func(T) bool // what is valid can be stored
}

// pattern matches the finished files in a directory.
func (f Format[T]) pattern(dir string) string { return filepath.Join(dir, f.Prefix+"*"+suffix) }

// Files lists the finished files in dir, oldest first: their names begin with a time.
func (f Format[T]) Files(dir string) ([]string, error) {
	paths, err := filepath.Glob(f.pattern(dir))
	if err != nil {
		return nil, fmt.Errorf("listing spool: %w", err)
	}
	slices.Sort(paths)
	return paths, nil
}

// Parse reads the values of a file. A single bad line makes the whole of it ErrDamaged.
func (f Format[T]) Parse(data []byte) ([]T, error) { return lines(data, f.MaxLine, f.Valid) }

// ReadFile reads a finished file.
func (f Format[T]) ReadFile(path string) ([]T, error) {
	data, err := read(path, f.MaxFile)
	if err != nil {
		return nil, err
	}
	return f.Parse(data)
}

// Ingest gives the values of each finished file in dir, oldest first, to take, with the file's name, and removes the file
// once take has returned nil. If the process dies in between, the same values come again under the same name. A damaged
// file, or one for which take returns ErrDamaged, is logged and set aside for SetAside to report, since it would come back
// for ever and delay those behind it. Any other error of take ends the round and leaves the file.
func (f Format[T]) Ingest(ctx context.Context, dir string, log *slog.Logger, take func(batch string, values []T) error) error {
	paths, err := f.Files(dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		values, err := f.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the writer removes the oldest files of a full spool
		}
		if err == nil && len(values) > 0 {
			err = take(filepath.Base(path), values)
		}
		switch {
		case errors.Is(err, ErrDamaged):
			log.Warn("spool file set aside", "file", path, "error", err)
			err = os.Rename(path, path+BadSuffix)
		case err == nil:
			err = os.Remove(path)
		default:
			return fmt.Errorf("ingesting %s: %w", filepath.Base(path), err)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("ingesting %s: %w", filepath.Base(path), err)
		}
	}
	return nil
}
