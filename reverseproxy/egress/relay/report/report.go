// Package report passes the state of each mail from the relay to the worker: complete
// files of JSON lines that appear by rename, to be ingested and removed. A line is a
// state, not an event, so lines may come twice or out of order; the latest counts.
// Addresses are masked before they get here. Start at [Writer.Add]; [Format] is the other end.
package report

import (
	"log/slog"
	"os"
	"sync"
	"time"

	"chatiere/reverseproxy/spoolfile"
)

// Entry is the state of one mail for one recipient, or, with the state "refused", of
// the mails of an hour that were refused for one reason.
type Entry struct {
	ID       string    `json:"id"` // the same for all entries about the same thing
	Site     string    `json:"site"`
	To       string    `json:"to,omitempty"` // masked
	State    string    `json:"state"`        // waiting, deferred, sent, bounced or refused
	Cause    string    `json:"cause,omitempty"`
	Code     int       `json:"code,omitempty"` // the smarthost's
	Said     string    `json:"said,omitempty"` // the smarthost's words, with addresses masked
	Count    int       `json:"count"`          // of attempts; with "refused", of mails
	Accepted time.Time `json:"accepted"`       // or refused first
	Changed  time.Time `json:"changed"`        // the later entry counts
	Next     time.Time `json:"next,omitzero"`  // when it is tried next
}

// Refused is the state of mails that were not taken.
const Refused = "refused"

// Writer collects entries; [Writer.Flush] writes them. If nobody ingests them, the
// oldest files go: the state of what is still in the queue is told anew at the next start.
type Writer struct {
	mu      sync.Mutex
	entries map[string]Entry

	writing sync.Mutex // around file
	file    *spoolfile.Writer[Entry]
}

// New makes a writer in dir and removes what a killed predecessor left half
// written there.
func New(dir string, now func() time.Time, log *slog.Logger) (*Writer, error) {
	// The worker reads as root; nobody else needs to.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Writer{file: spoolfile.NewWriter(Format, dir, now, log), entries: map[string]Entry{}}, nil
}

// Add collects an entry.
func (w *Writer) Add(e Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(e)
}

// add keeps the later of two entries; w.mu is held.
func (w *Writer) add(e Entry) {
	if have, ok := w.entries[e.ID]; !ok || !e.Changed.Before(have.Changed) {
		w.entries[e.ID] = e
	}
}
