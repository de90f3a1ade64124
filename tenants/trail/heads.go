package trail

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Head is a seal as it is written down outside the database: "2026-11-21 4711 4690 9f86d0…", which is the day it closes (or
// the instant, for the newest), the seal's number, its row's, and its hash.
type Head struct {
	When    string `json:"when"`
	Seq     int64  `json:"seq"`
	AuditID int64  `json:"audit_id"`
	Hash    Hash   `json:"hash"`
}

// String returns the line of a file of heads.
func (h Head) String() string { return fmt.Sprintf("%s %d %d %s", h.When, h.Seq, h.AuditID, h.Hash) }

func headOf(s Seal, when string) Head {
	return Head{When: when, Seq: s.Seq, AuditID: s.AuditID, Hash: s.Hash}
}

// ParseHeads reads lines of heads; empty lines and those that begin with # say nothing.
func ParseHeads(text []byte) ([]Head, error) {
	var heads []Head
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		h, err := parseHead(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

func parseHead(line string) (h Head, err error) {
	parts := strings.Fields(line)
	if len(parts) != 4 {
		return h, ErrHeads
	}
	h.When = parts[0]
	for i, n := range []*int64{&h.Seq, &h.AuditID} {
		if *n, err = strconv.ParseInt(parts[i+1], 10, 64); err != nil || *n < 1 {
			return h, ErrHeads
		}
	}
	return h, h.Hash.UnmarshalText([]byte(parts[3]))
}

// Heads is the directory of heads, root's alone: "days" has one line for each day and only grows, "newest" holds the newest
// seal, and "pruned" one line for each time that old rows were removed.
type Heads struct{ Dir string }

const (
	daysFile   = "days"
	newestFile = "newest"
	prunedFile = "pruned"
)

// Days returns the last seal of each day that has been closed.
func (h Heads) Days() ([]Head, error) { return h.read(daysFile) }

// Pruned returns where the chain has been cut because its rows were too old.
func (h Heads) Pruned() ([]Head, error) { return h.read(prunedFile) }

// Newest returns the newest seal written down; false when there is none.
func (h Heads) Newest() (Head, bool, error) {
	found, err := h.read(newestFile)
	if err != nil || len(found) == 0 {
		return Head{}, false, err
	}
	return found[len(found)-1], true, nil
}

func (h Heads) read(name string) ([]Head, error) {
	text, err := os.ReadFile(filepath.Join(h.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading heads: %w", err)
	}
	found, err := ParseHeads(text[:bytes.LastIndexByte(text, '\n')+1]) // a last line without its end was never finished
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(h.Dir, name), err)
	}
	return found, nil
}

// advance replaces the newest head.
func (h Heads) advance(s Seal, now time.Time) error {
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of heads: %w", err)
	}
	line := headOf(s, now.UTC().Format(time.RFC3339)).String() + "\n"
	if err := renameio.WriteFile(filepath.Join(h.Dir, newestFile), []byte(line), 0o600, renameio.WithTempDir(h.Dir)); err != nil {
		return fmt.Errorf("replacing the newest head: %w", err)
	}
	return nil
}

func (h Heads) closeDay(head Head) error { return h.append(daysFile, head) }

// NotePruned writes down where the chain is about to be cut. It comes before the cut: a line without a cut says nothing
// wrong, a cut without its line is what Verify calls a removal.
func (h Heads) NotePruned(s Seal, now time.Time) error {
	return h.append(prunedFile, headOf(s, now.UTC().Format(time.RFC3339)))
}

// append adds a line behind the last whole one; half a line is what a power cut left.
func (h Heads) append(name string, head Head) error {
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of heads: %w", err)
	}
	path := filepath.Join(h.Dir, name)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading heads: %w", err)
	}
	return writeSynced(path, int64(bytes.LastIndexByte(text, '\n')+1), head.String()+"\n")
}

func writeSynced(path string, at int64, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening a file of heads: %w", err)
	}
	_, err = f.WriteAt([]byte(text), at)
	if err == nil {
		err = f.Truncate(at + int64(len(text)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
