package audit

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

// Checkpoint is a chain entry stored outside the database: "2026-11-21 4711 4690 9f86d0…", which is the day it closes (or
// the instant, for the newest), the entry's number, its row's, and its hash.
type Checkpoint struct {
	When    string `json:"when"`
	Seq     int64  `json:"seq"`
	AuditID int64  `json:"audit_id"`
	Hash    Hash   `json:"hash"`
}

// String returns the line of a file of checkpoints.
func (h Checkpoint) String() string {
	return fmt.Sprintf("%s %d %d %s", h.When, h.Seq, h.AuditID, h.Hash)
}

func checkpointOf(s ChainEntry, when string) Checkpoint {
	return Checkpoint{When: when, Seq: s.Seq, AuditID: s.AuditID, Hash: s.Hash}
}

// ParseCheckpoints parses lines of checkpoints; empty lines and those that begin with # are ignored.
func ParseCheckpoints(text []byte) ([]Checkpoint, error) {
	var heads []Checkpoint
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		h, err := parseCheckpoint(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

func parseCheckpoint(line string) (h Checkpoint, err error) {
	parts := strings.Fields(line)
	if len(parts) != 4 {
		return h, ErrCheckpoints
	}
	h.When = parts[0]
	for i, n := range []*int64{&h.Seq, &h.AuditID} {
		if *n, err = strconv.ParseInt(parts[i+1], 10, 64); err != nil || *n < 1 {
			return h, ErrCheckpoints
		}
	}
	return h, h.Hash.UnmarshalText([]byte(parts[3]))
}

// Checkpoints is the directory of checkpoints, which only root can write: "days" has one line for each day and only grows,
// "newest" holds the newest entry, and "pruned" one line for each time that old rows were removed.
type Checkpoints struct{ Dir string }

const (
	daysFile   = "days"
	newestFile = "newest"
	prunedFile = "pruned"
)

// Days returns the last entry of each closed day.
func (h Checkpoints) Days() ([]Checkpoint, error) { return h.read(daysFile) }

// Pruned returns the entries at which the chain was pruned.
func (h Checkpoints) Pruned() ([]Checkpoint, error) { return h.read(prunedFile) }

// Newest returns the newest checkpoint; false when there is none.
func (h Checkpoints) Newest() (Checkpoint, bool, error) {
	found, err := h.read(newestFile)
	if err != nil || len(found) == 0 {
		return Checkpoint{}, false, err
	}
	return found[len(found)-1], true, nil
}

func (h Checkpoints) read(name string) ([]Checkpoint, error) {
	text, err := os.ReadFile(filepath.Join(h.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading checkpoints: %w", err)
	}
	found, err := ParseCheckpoints(text[:bytes.LastIndexByte(text, '\n')+1]) // a last line without its line end is incomplete
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(h.Dir, name), err)
	}
	return found, nil
}

// replaceNewest replaces the newest checkpoint.
func (h Checkpoints) replaceNewest(s ChainEntry, now time.Time) error {
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of checkpoints: %w", err)
	}
	line := checkpointOf(s, now.UTC().Format(time.RFC3339)).String() + "\n"
	if err := renameio.WriteFile(filepath.Join(h.Dir, newestFile), []byte(line), 0o600, renameio.WithTempDir(h.Dir)); err != nil {
		return fmt.Errorf("replacing the newest checkpoint: %w", err)
	}
	return nil
}

func (h Checkpoints) closeDay(head Checkpoint) error { return h.append(daysFile, head) }

// RecordPrune records where the chain is about to be pruned. It comes first: a line without a pruning is harmless, a pruning
// without its line is what Verify reports as a removal.
func (h Checkpoints) RecordPrune(s ChainEntry, now time.Time) error {
	return h.append(prunedFile, checkpointOf(s, now.UTC().Format(time.RFC3339)))
}

// append adds a line after the last complete one; an incomplete line is left by a power cut.
func (h Checkpoints) append(name string, head Checkpoint) error {
	if err := os.MkdirAll(h.Dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of checkpoints: %w", err)
	}
	path := filepath.Join(h.Dir, name)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading checkpoints: %w", err)
	}
	return writeSynced(path, int64(bytes.LastIndexByte(text, '\n')+1), head.String()+"\n")
}

func writeSynced(path string, at int64, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening a file of checkpoints: %w", err)
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
