package routes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"chatiere/reverseproxy/atomicfile"
)

// Previous is what WriteTable appends to a table's path for the table before it.
const Previous = ".prev"

// WriteTable puts t at path so that a reader, or a crash at any instant, meets a whole table: the old
// one or the new. The table it replaces stays beside it as path + Previous. ErrStale is returned, and
// nothing changed, if the table at path is newer than t; a table of equal content and version is left.
func WriteTable(path string, t Table) error {
	data, err := EncodeTable(t)
	if err != nil {
		return err
	}
	old, loaded, err := readFile(path)
	switch {
	case err != nil && !recoverable(err):
		return fmt.Errorf("reading route table in force: %w", err)
	case err == nil && equal(old, t):
		return nil
	case err == nil && !t.Supersedes(old, loaded):
		return fmt.Errorf("%w: version %d, in force %d", ErrStale, t.Version, old.Version)
	case err == nil:
		if err := keepPrevious(path); err != nil {
			return fmt.Errorf("keeping previous route table: %w", err)
		}
	}
	// The proxy runs as another group than the writer; the table holds no secret.
	if err := atomicfile.Write(path, data, 0o644); err != nil {
		return fmt.Errorf("writing route table: %w", err)
	}
	return nil
}

// recoverable reports whether a table that failed with err is to be replaced without further ado.
func recoverable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrFormat)
}

func equal(old, t Table) bool {
	_, a, errA := encodeRoutes(old)
	_, b, errB := encodeRoutes(t)
	return errA == nil && errB == nil && a == b && old.Version == t.Version
}

func keepPrevious(path string) error {
	link := path + Previous + ".tmp"
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(path, link); err != nil {
		return err
	}
	return os.Rename(link, path+Previous)
}
