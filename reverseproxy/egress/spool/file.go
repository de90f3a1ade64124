package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"chatiere/reverseproxy/atomicfile"
	"chatiere/reverseproxy/spoolfile"
)

const (
	prefix  = "egress-"
	suffix  = ".jsonl"
	maxLine = 4096
)

// ErrLine says that a line of a spool file cannot be read.
var ErrLine = errors.New("unreadable line in spool file")

// Flush writes what was collected as one file; without entries it does nothing.
// What could not be written (a full disk) is kept for the next time.
func (s *Spool) Flush() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	entries := s.drain()
	if len(entries) == 0 {
		return nil
	}
	text, err := encode(entries)
	if err == nil {
		err = s.makeRoom(int64(len(text)))
	}
	if err == nil {
		err = s.write(text)
	}
	if err != nil {
		s.restore(entries)
	}
	return err
}

func (s *Spool) restore(entries []*Entry) {
	for _, e := range entries {
		s.add(e.At, e.Key, e.Count, e.Sent, e.Received)
	}
}

func (s *Spool) drain() []*Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Entry, 0, len(s.entries))
	for _, e := range s.entries {
		out = append(out, e)
	}
	s.reset()
	slices.SortFunc(out, func(a, b *Entry) int {
		if d := a.At.Compare(b.At); d != 0 {
			return d
		}
		return strings.Compare(a.Site+" "+a.Name, b.Site+" "+b.Name)
	})
	return out
}

func encode(entries []*Entry) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, e := range entries {
		if err := encoder.Encode(e); err != nil {
			return nil, fmt.Errorf("encoding spool entry: %w", err)
		}
	}
	return out.Bytes(), nil
}

func (s *Spool) write(text []byte) error {
	s.serial++
	stamp := s.now().UTC().Format("20060102T150405.000000000")
	name := fmt.Sprintf("%s%s-%06d%s", prefix, stamp, s.serial, suffix)
	if err := atomicfile.Write(filepath.Join(s.dir, name), text, 0o640); err != nil {
		return fmt.Errorf("writing spool: %w", err)
	}
	return nil
}

// makeRoom removes the oldest files until the next one of that size fits.
func (s *Spool) makeRoom(next int64) error {
	paths, err := Files(s.dir)
	if err != nil {
		return err
	}
	sizes := make([]int64, len(paths))
	total := next
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			sizes[i] = info.Size()
			total += info.Size()
		}
	}
	dropped := 0
	for i := 0; i < len(paths) && (len(paths)-i >= maxFiles || total > maxBytes); i++ {
		if err := os.Remove(paths[i]); err == nil {
			dropped++
		}
		total -= sizes[i]
	}
	if dropped > 0 {
		s.log.Warn("spool full, oldest files dropped", "dir", s.dir, "files", dropped)
	}
	return nil
}

// Files lists the finished files of a spool directory, oldest first.
func Files(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, prefix+"*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("listing spool: %w", err)
	}
	slices.Sort(paths)
	return paths, nil
}

// ReadFile reads one finished file. Its writer is less trusted than its reader: what is no regular file of an accepted
// size is an ErrLine.
func ReadFile(path string) ([]Entry, error) {
	data, err := spoolfile.Read(path, maxBytes)
	if errors.Is(err, spoolfile.ErrNotRegular) {
		return nil, fmt.Errorf("%w: %w", ErrLine, err)
	}
	if err != nil {
		return nil, err
	}
	return Read(bytes.NewReader(data))
}

// Read reads entries, one a line; what it accepts can be stored and shown. Entries before a bad line are returned with
// the error.
func Read(from io.Reader) ([]Entry, error) {
	entries, err := spoolfile.Lines(from, maxLine, Entry.valid)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrLine, err)
	}
	return entries, err
}
