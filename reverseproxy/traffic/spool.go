package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Spool flushes a Counter into a directory.
//
// While nobody ingests, or the disk is full, counts are kept in memory, added up per site and hour: only resolution is
// lost. Beyond MaxPending sites × hours the oldest are dropped and logged.
type Spool struct {
	Dir     string
	Counter *Counter
	// Every is the time between two flushes; 5 s if zero.
	Every time.Duration
	// MaxFiles is how many files may wait in Dir before counts stay in memory; 2,000 if zero.
	MaxFiles int
	// MaxPending is how many sites × hours may wait in memory; 50,000 if zero.
	MaxPending int
	Clock      func() time.Time
	Log        *slog.Logger

	since   time.Time
	pending map[pendingKey]*Record
	blocked bool // counts stay in memory, and it was said
}

type pendingKey struct {
	site string
	hour int64
}

const (
	defaultEvery      = 5 * time.Second
	defaultMaxFiles   = 2000
	defaultMaxPending = 50_000
)

// Run flushes until ctx ends, and then once more, whatever the number of files.
func (s *Spool) Run(ctx context.Context) {
	s.prepare()
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := s.flush(true); err != nil {
				s.Log.Error("last traffic counts are lost", "sites", len(s.pending), "error", err)
			}
			return
		case <-tick.C:
			s.report(s.flush(false))
		}
	}
}

func (s *Spool) prepare() {
	if s.Every <= 0 {
		s.Every = defaultEvery
	}
	if s.MaxFiles <= 0 {
		s.MaxFiles = defaultMaxFiles
	}
	if s.MaxPending <= 0 {
		s.MaxPending = defaultMaxPending
	}
	s.pending = make(map[pendingKey]*Record)
	s.since = s.Clock()
}

// errFull is the reason not to write while too many files wait.
var errFull = errors.New("too many files wait to be ingested")

// flush collects the counts and writes what is pending as one file.
func (s *Spool) flush(last bool) error {
	s.collect()
	if len(s.pending) == 0 {
		return nil
	}
	if !last && s.countFiles() >= s.MaxFiles {
		return errFull
	}
	if err := s.write(); err != nil {
		return fmt.Errorf("writing traffic file: %w", err)
	}
	clear(s.pending)
	return nil
}

func (s *Spool) report(err error) {
	switch {
	case err != nil && !s.blocked:
		s.Log.Error("traffic counts stay in memory", "error", err)
	case err == nil && s.blocked:
		s.Log.Info("traffic counts are written again")
	}
	s.blocked = err != nil
}

func (s *Spool) collect() {
	now := s.Clock()
	for _, r := range s.Counter.drain(s.since, now) {
		key := pendingKey{site: r.Site, hour: r.From.Unix() / 3600}
		if old, ok := s.pending[key]; ok {
			old.add(r)
			continue
		}
		s.pending[key] = &r
	}
	s.since = now
	s.dropOldest()
}

// dropOldest drops the oldest pending records beyond MaxPending.
func (s *Spool) dropOldest() {
	over := len(s.pending) - s.MaxPending
	if over <= 0 {
		return
	}
	keys := make([]pendingKey, 0, len(s.pending))
	for key := range s.pending {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b pendingKey) int { return int(a.hour - b.hour) })
	var requests uint64
	for _, key := range keys[:over] {
		requests += s.pending[key].Requests
		delete(s.pending, key)
	}
	s.Log.Error("traffic counts dropped, nobody ingests them", "records", over, "requests", requests)
}

func (s *Spool) countFiles() int {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return 0 // write reports the error
	}
	n := 0
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), suffix) {
			n++
		}
	}
	return n
}

// write makes the file under another name first, so that the ingester sees whole ones only. It is not
// synced: a power failure may cost the last seconds of counts, and a sync every 5 s costs disks more.
func (s *Spool) write() (err error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, r := range s.pending {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s%d-%d%s", prefix, s.Clock().UnixNano(), os.Getpid(), suffix)
	tmp := filepath.Join(s.Dir, "."+name+".tmp")
	if err := os.WriteFile(tmp, buf.Bytes(), 0o660); err != nil {
		return errors.Join(err, removeQuietly(tmp))
	}
	if err := os.Rename(tmp, filepath.Join(s.Dir, name)); err != nil {
		return errors.Join(err, removeQuietly(tmp))
	}
	return nil
}

func removeQuietly(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
