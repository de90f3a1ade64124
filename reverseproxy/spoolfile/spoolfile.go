// Package spoolfile safely reads files that a less trusted process has written: no links, no pipes, no more than a fixed
// size. It knows only that they contain JSON, one value a line.
package spoolfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotRegular means that the path is not a regular file of an accepted size.
var ErrNotRegular = errors.New("no spool file")

// Read returns the content of a regular file of at most limit bytes. The file is checked after it was opened, so that it
// cannot be replaced in between.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, fmt.Errorf("reading %s: %w: %w", path, ErrNotRegular, err)
	case err != nil:
		return nil, fmt.Errorf("reading spool file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("reading %s: %w: %s, %d bytes", path, ErrNotRegular, info.Mode().Type(), info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: it grows", ErrNotRegular)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

// errInvalid is a value that can be decoded but is not valid.
var errInvalid = errors.New("values that cannot be")

// Lines decodes one JSON value a line, of at most longest bytes. It stops at the first that cannot be decoded or that is
// not valid, and returns those before it with an error that contains the line number.
func Lines[T any](from io.Reader, longest int, valid func(T) bool) ([]T, error) {
	var out []T
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 512), longest)
	for lines.Scan() {
		var value T
		err := json.Unmarshal(lines.Bytes(), &value)
		if err == nil && !valid(value) {
			err = errInvalid
		}
		if err != nil {
			return out, fmt.Errorf("line %d: %w", len(out)+1, err)
		}
		out = append(out, value)
	}
	if err := lines.Err(); err != nil {
		return out, fmt.Errorf("line %d: %w", len(out)+1, err)
	}
	return out, nil
}
