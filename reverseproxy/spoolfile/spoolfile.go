// Package spoolfile reads files that a less trusted process has written, without being led elsewhere: no links, no pipes
// that never end, no more than was agreed on. Of what stands in them it knows that it is JSON, one value a line.
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

// ErrUnfit is what is there, but is not a regular file of a fit size.
var ErrUnfit = errors.New("no spool file")

// Read returns the whole of a regular file of at most limit bytes. The file is judged after it was opened, so that it
// cannot be exchanged in between.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, fmt.Errorf("reading %s: %w: %w", path, ErrUnfit, err)
	case err != nil:
		return nil, fmt.Errorf("reading spool file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("reading %s: %w: %s, %d bytes", path, ErrUnfit, info.Mode().Type(), info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: it grows", ErrUnfit)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

// errUnsound is a value that can be read, but not be true.
var errUnsound = errors.New("values that cannot be")

// Lines reads one JSON value a line, of at most longest bytes. It stops at the first that cannot be read or that sound
// refuses, and returns those before it with the error, which names the line.
func Lines[T any](from io.Reader, longest int, sound func(T) bool) ([]T, error) {
	var out []T
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 512), longest)
	for lines.Scan() {
		var value T
		err := json.Unmarshal(lines.Bytes(), &value)
		if err == nil && !sound(value) {
			err = errUnsound
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
