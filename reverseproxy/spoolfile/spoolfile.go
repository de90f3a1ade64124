// Package spoolfile passes values from a less trusted process to another: in complete files of JSON lines that appear by
// rename, for the other one to ingest and remove. The reader follows no links, reads no pipes and no more than a fixed size.
// The package does not know what the values are. Start reading at Format.Ingest; Writer is the other end.
package spoolfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ErrDamaged is a file that its writer cannot have meant: not a regular file of an accepted size, or with a line that
// cannot be decoded, is not valid or cannot be stored.
var ErrDamaged = errors.New("damaged spool file")

// read returns the content of a regular file of at most limit bytes. The file is checked after it was opened, so that it
// cannot be replaced in between.
func read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, fmt.Errorf("reading %s: %w: %w", path, ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("reading spool file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("reading %s: %w: %s, %d bytes", path, ErrDamaged, info.Mode().Type(), info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: it grows", ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return data, nil
}

// errInvalid is a value that can be decoded but is not valid.
var errInvalid = errors.New("values that cannot be")

// lines decodes one JSON value a line, of at most longest bytes.
func lines[T any](from []byte, longest int, valid func(T) bool) ([]T, error) {
	var out []T
	scanner := bufio.NewScanner(bytes.NewReader(from))
	scanner.Buffer(make([]byte, 0, 512), longest)
	for scanner.Scan() {
		var value T
		err := json.Unmarshal(scanner.Bytes(), &value)
		if err == nil && !valid(value) {
			err = errInvalid
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrDamaged, len(out)+1, err)
		}
		out = append(out, value)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrDamaged, len(out)+1, err)
	}
	return out, nil
}
