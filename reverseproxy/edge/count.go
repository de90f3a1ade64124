package edge

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Counts is what was turned away since the start.
type Counts struct {
	Client  int64 // connections beyond one client's share
	Full    int64 // connections for which there was no room
	Evicted int64 // idle connections that made room
	Busy    int64 // requests beyond one client's share
}

type counters struct{ client, full, evicted, busy atomic.Int64 }

// Counts returns what was turned away since the start.
func (s *Server) Counts() Counts {
	c := &s.tracker.counts
	return Counts{Client: c.client.Load(), Full: c.full.Load(), Evicted: c.evicted.Load(), Busy: c.busy.Load()}
}

// Open returns the number of open connections.
func (s *Server) Open() int {
	s.tracker.mu.Lock()
	defer s.tracker.mu.Unlock()
	return s.tracker.open
}

// tellEvery is how often what was turned away is logged.
const tellEvery = 30 * time.Second

// tell logs what was turned away, never line by line: those who do it have time.
func (s *Server) tell(ctx context.Context) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	var before Counts
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.Counts()
		if now == before {
			continue
		}
		s.opts.Log.LogAttrs(ctx, slog.LevelWarn, "clients turned away",
			slog.Int64("connections_of_one", now.Client-before.Client), slog.Int64("requests_of_one", now.Busy-before.Busy),
			slog.Int64("no_room", now.Full-before.Full), slog.Int64("idle_closed", now.Evicted-before.Evicted), slog.Int("open", s.Open()))
		before = now
	}
}
