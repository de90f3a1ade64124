// Package spool records the sites' egress attempts: complete files of JSON lines that
// appear by rename, for the worker to ingest and remove. It is bounded in memory and
// on disk and never blocks the gateway. Start at [Spool.Add]; [Format] is the other end.
package spool

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"chatiere/reverseproxy/spoolfile"
)

// Decision is the outcome of a connection attempt.
type Decision string

// The outcomes.
const (
	Allowed Decision = "allowed" // a tunnel was opened
	Refused Decision = "refused" // by list, address, limit or form
	Failed  Decision = "failed"  // allowed, but the server could not be reached
)

// Key is what entries of one time window are summed by.
type Key struct {
	Site     string   `json:"site"`
	Name     string   `json:"name"` // empty where the request was unreadable
	Port     int      `json:"port"` // 0: the name was looked up, and refused already then
	Decision Decision `json:"decision"`
	Reason   string   `json:"reason,omitempty"`
}

// Entry is one line: how often something was tried in a window, and the bytes
// that went out and came in. Bytes of a long tunnel are counted when it ends,
// maybe in a later window, then with a Count of 0.
type Entry struct {
	At time.Time `json:"at"` // of the first try in the window
	Key
	Count    int64 `json:"count"`
	Sent     int64 `json:"sent"`
	Received int64 `json:"received"`
	Bytes    int64 `json:"bytes"` // both together
}

const (
	maxSite  = 64
	maxName  = 253 // of a host name
	maxWords = 200
	maxPort  = 65535
	maxCount = 1 << 53 // exact in JSON, and far from the end of a column
)

// valid reports whether a gateway may have written the entry.
func (e Entry) valid() bool {
	if e.Site == "" || len(e.Site) > maxSite || len(e.Name) > maxName || len(e.Decision) > maxSite || len(e.Reason) > maxWords {
		return false
	}
	if e.Port < 0 || e.Port > maxPort || e.At.Year() > 9999 || e.At.Year() < 0 {
		return false
	}
	for _, text := range []string{e.Site, e.Name, string(e.Decision), e.Reason} {
		if strings.ContainsFunc(text, unicode.IsControl) {
			return false
		}
	}
	return min(e.Count, e.Sent, e.Received, e.Bytes) >= 0 && max(e.Count, e.Sent, e.Received, e.Bytes) <= maxCount
}

// maxKeysPerSite bounds what is kept in memory.
const maxKeysPerSite = 300

// Spool collects entries; [Spool.Flush] writes them.
type Spool struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[Key]*Entry
	perSite map[string]int

	writing sync.Mutex // around file
	file    *spoolfile.Writer[Entry]
}

// New makes a spool in dir and removes what a killed predecessor left half
// written there.
func New(dir string, now func() time.Time, log *slog.Logger) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	s := &Spool{now: now, file: spoolfile.NewWriter(Format, dir, now, log)}
	s.reset()
	return s, nil
}

func (s *Spool) reset() {
	s.entries = map[Key]*Entry{}
	s.perSite = map[string]int{}
}

// Add counts tries and bytes under a key. A site that tries very many names in
// one window has the rest summed under no name.
func (s *Spool) Add(key Key, count, sent, received int64) {
	s.add(s.now().UTC(), key, count, sent, received)
}

func (s *Spool) add(at time.Time, key Key, count, sent, received int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	if !ok && s.perSite[key.Site] >= maxKeysPerSite {
		key.Name, key.Port = "", 0
		key.Reason = "many names"
		e, ok = s.entries[key]
	}
	if !ok {
		e = &Entry{At: at, Key: key}
		s.entries[key] = e
		s.perSite[key.Site]++
	}
	if at.Before(e.At) {
		e.At = at
	}
	e.Count += count
	e.Sent += sent
	e.Received += received
	e.Bytes = e.Sent + e.Received
}
