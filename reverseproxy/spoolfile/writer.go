package spoolfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"chatiere/reverseproxy/atomicfile"
)

// Bounds of what waits to be ingested. Old files are removed to make room for new ones.
const (
	maxFiles = 4096
	maxBytes = 64 << 20
)

// Writer writes finished files. Its methods are not safe for concurrent use.
type Writer[T any] struct {
	format Format[T]
	dir    string
	now    func() time.Time
	log    *slog.Logger
	serial uint64
}

// NewWriter makes a writer into dir, which must exist, and removes what a killed predecessor left half-written there.
func NewWriter[T any](format Format[T], dir string, now func() time.Time, log *slog.Logger) *Writer[T] {
	left, _ := filepath.Glob(atomicfile.Unfinished(format.pattern(dir)))
	for _, path := range left {
		_ = os.Remove(path)
	}
	return &Writer[T]{format: format, dir: dir, now: now, log: log}
}

// Write writes values as one file.
func (w *Writer[T]) Write(values []T) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, v := range values {
		if err := encoder.Encode(v); err != nil {
			return fmt.Errorf("encoding spool file: %w", err)
		}
	}
	if err := w.makeRoom(int64(text.Len())); err != nil {
		return err
	}
	w.serial++
	name := fmt.Sprintf("%s%s-%06d%s", w.format.Prefix, w.now().UTC().Format("20060102T150405.000000000"), w.serial, suffix)
	if err := atomicfile.Write(filepath.Join(w.dir, name), text.Bytes(), 0o640); err != nil {
		return fmt.Errorf("writing spool file: %w", err)
	}
	return nil
}

// makeRoom removes the oldest files until the next one of that size fits.
func (w *Writer[T]) makeRoom(next int64) error {
	paths, err := w.format.Files(w.dir)
	if err != nil {
		return err
	}
	sizes := make([]int64, len(paths))
	total := next
	for i, path := range paths {
		if info, err := os.Lstat(path); err == nil {
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
		w.log.Warn("nobody ingests the spool, oldest files dropped", "dir", w.dir, "files", dropped)
	}
	return nil
}
