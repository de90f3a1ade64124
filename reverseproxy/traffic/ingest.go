package traffic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"chatiere/reverseproxy/spoolfile"
)

// maxFile bounds what is read into memory: fifty times a file of 1,000 sites.
const maxFile = 16 << 20

// maxLine bounds one record.
const maxLine = 1 << 20

// Ingest passes the records of each file in dir to store, oldest first, and deletes the file once store has returned nil.
// If the process dies in between, the same records come again with the same Batch: store must write the batch's name in
// the transaction that writes the counts, and return nil for a batch it knows. An error of store ends the round and
// leaves the file, unless it is ErrDamaged. A damaged file is set aside (".bad" is appended to its name) and reported in
// the error; the others are still ingested.
func Ingest(ctx context.Context, dir string, store func([]Record) error) error {
	names, err := batches(dir)
	if err != nil {
		return fmt.Errorf("listing traffic spool: %w", err)
	}
	var damaged []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(damaged, err)...)
		}
		err := ingestFile(filepath.Join(dir, name), name, store)
		if errors.Is(err, ErrDamaged) {
			damaged = append(damaged, err)
			continue
		}
		if err != nil {
			return errors.Join(append(damaged, err)...)
		}
	}
	return errors.Join(damaged...)
}

func ingestFile(path, name string, store func([]Record) error) error {
	records, err := readFile(path, name)
	if errors.Is(err, ErrDamaged) {
		return errors.Join(err, os.Rename(path, path+spoolfile.BadSuffix))
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if len(records) > 0 {
		if err := store(records); err != nil {
			err = fmt.Errorf("storing %s: %w", name, err)
			if errors.Is(err, ErrDamaged) {
				err = errors.Join(err, os.Rename(path, path+spoolfile.BadSuffix))
			}
			return err
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", name, err)
	}
	return nil
}

// batches lists the whole files. Names begin with a time in nanoseconds, of 19 digits until 2286, so
// that their order is that of time.
func batches(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		// The writer of the spool is less trusted than its reader: no links, no devices.
		if name := entry.Name(); entry.Type().IsRegular() && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// readFile reads one file, whose writer is less trusted than the ingester.
func readFile(path, name string) ([]Record, error) {
	data, err := spoolfile.Read(path, maxFile)
	if errors.Is(err, spoolfile.ErrNotRegular) {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
	}
	if err != nil {
		return nil, err
	}
	return Parse(data, name)
}

// Parse reads the lines of one file. What it accepts can be stored: a record that cannot would come back for ever, and
// hold up those behind it.
func Parse(data []byte, batch string) ([]Record, error) {
	out, err := spoolfile.Lines(bytes.NewReader(data), maxLine, Record.valid)
	if err != nil {
		return nil, fmt.Errorf("%w: %s, %w", ErrDamaged, batch, err)
	}
	for i := range out {
		out[i].Batch = batch
	}
	return out, nil
}
