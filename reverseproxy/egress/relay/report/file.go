package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"chatiere/reverseproxy/atomicfile"
	"chatiere/reverseproxy/spoolfile"
)

const (
	prefix  = "mail-"
	suffix  = ".jsonl"
	maxLine = 4096
	maxFile = 32 << 20
	perFile = 5000 // entries, each shorter than maxLine
)

// ErrDamaged says that a file cannot be read.
var ErrDamaged = errors.New("damaged mail report")

// Flush writes what was collected as one file; without entries it does nothing.
// What could not be written (a full disk) is kept for the next time.
func (w *Writer) Flush() error {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	entries := slices.Collect(maps.Values(w.entries))
	w.entries = map[string]Entry{}
	w.mu.Unlock()
	for chunk := range slices.Chunk(entries, perFile) {
		if err := w.flush(chunk); err != nil {
			w.restore(entries)
			return err
		}
	}
	return nil
}

func (w *Writer) flush(entries []Entry) error {
	text, err := encode(entries)
	if err != nil {
		return err
	}
	w.makeRoom(int64(len(text)))
	return w.write(text)
}

// restore puts entries back unless newer ones were added meanwhile.
func (w *Writer) restore(entries []Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range entries {
		w.add(e)
	}
}

func encode(entries []Entry) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, e := range entries {
		if err := encoder.Encode(e); err != nil {
			return nil, fmt.Errorf("encoding mail report: %w", err)
		}
	}
	return out.Bytes(), nil
}

func (w *Writer) write(text []byte) error {
	w.serial++
	name := fmt.Sprintf("%s%s-%06d%s", prefix, w.now().UTC().Format("20060102T150405.000000000"), w.serial, suffix)
	if err := atomicfile.Write(filepath.Join(w.dir, name), text, 0o600); err != nil {
		return fmt.Errorf("writing mail report: %w", err)
	}
	return nil
}

// makeRoom removes the oldest files until the next one of that size fits.
func (w *Writer) makeRoom(next int64) {
	paths, err := Files(w.dir)
	if err != nil {
		return // writing says why
	}
	sizes, total, dropped := make([]int64, len(paths)), next, 0
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			sizes[i] = info.Size()
			total += info.Size()
		}
	}
	for i := 0; i < len(paths) && (len(paths)-i >= maxFiles || total > maxBytes); i++ {
		if os.Remove(paths[i]) == nil {
			dropped++
		}
		total -= sizes[i]
	}
	if dropped > 0 {
		w.log.Warn("nobody reads the mail reports, oldest files dropped", "dir", w.dir, "files", dropped)
	}
}

// Files lists the finished files of a directory, oldest first. The writer is
// less trusted than the reader: no links, no devices.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing mail reports: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if name := e.Name(); e.Type().IsRegular() && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// Ingest passes the entries of each file to store, oldest first, and removes the file
// once store has returned nil. After a crash in between, the same entries come again.
// A damaged file is set aside (".bad" is appended to its name) and does not stop the
// others; an error of store does.
func Ingest(ctx context.Context, dir string, store func([]Entry) error) error {
	paths, err := Files(dir)
	if err != nil {
		return err
	}
	var damaged []error
	for _, path := range paths {
		if ctx.Err() != nil {
			return errors.Join(append(damaged, ctx.Err())...)
		}
		entries, err := readFile(path)
		if errors.Is(err, ErrDamaged) {
			damaged = append(damaged, err, os.Rename(path, path+spoolfile.BadSuffix))
			continue
		}
		if err == nil {
			err = store(entries)
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the writer trims
			return errors.Join(append(damaged, fmt.Errorf("storing mail reports: %w", err))...)
		}
	}
	return errors.Join(damaged...)
}

func readFile(path string) ([]Entry, error) {
	data, err := spoolfile.Read(path, maxFile)
	if errors.Is(err, spoolfile.ErrNotRegular) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	entries, err := Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return entries, nil
}

var (
	idForm   = regexp.MustCompile(`^[a-z0-9.-]{3,60}$`)
	siteForm = regexp.MustCompile(`^s[a-z0-9]{9}$`)
	states   = []string{"waiting", "deferred", "sent", "bounced", Refused}
)

// Read reads entries, one a line; with the first bad line all of them are refused.
func Read(from io.Reader) ([]Entry, error) {
	entries, err := spoolfile.Lines(from, maxLine, Entry.valid)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return entries, nil
}

// Years that a database can hold.
const firstYear, lastYear = 2000, 9000

func (e Entry) valid() bool {
	for _, at := range []int{e.Accepted.Year(), e.Changed.Year()} {
		if at < firstYear || at > lastYear {
			return false
		}
	}
	if year := e.Next.Year(); !e.Next.IsZero() && (year < firstYear || year > lastYear) {
		return false
	}
	return idForm.MatchString(e.ID) && siteForm.MatchString(e.Site) && slices.Contains(states, e.State) &&
		e.Count >= 0 && e.Count < 1<<31 && e.Code >= 0 && e.Code < 1000 && len(e.To) <= 320 && len(e.Said) <= 1500 && len(e.Cause) <= 40
}
