package spool

import (
	"slices"
	"strings"

	"chatiere/reverseproxy/spoolfile"
)

// Format is what the spool's files look like. What is valid can be stored and shown.
var Format = spoolfile.Format[Entry]{Prefix: "egress-", MaxFile: 64 << 20, MaxLine: 4096, Valid: Entry.valid}

// Flush writes what was collected as one file; without entries it does nothing.
// What could not be written (a full disk) is kept for the next time.
func (s *Spool) Flush() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	entries := s.drain()
	if len(entries) == 0 {
		return nil
	}
	err := s.file.Write(entries)
	if err != nil {
		s.restore(entries)
	}
	return err
}

func (s *Spool) restore(entries []Entry) {
	for _, e := range entries {
		s.add(e.At, e.Key, e.Count, e.Sent, e.Received)
	}
}

func (s *Spool) drain() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Entry, 0, len(s.entries))
	for _, e := range s.entries {
		out = append(out, *e)
	}
	s.reset()
	slices.SortFunc(out, func(a, b Entry) int {
		if d := a.At.Compare(b.At); d != 0 {
			return d
		}
		return strings.Compare(a.Site+" "+a.Name, b.Site+" "+b.Name)
	})
	return out
}
