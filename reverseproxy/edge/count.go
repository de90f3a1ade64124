package edge

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Counts is the number of rejected connections and requests since the start.
type Counts struct {
	Client  int64 // connections beyond one client's share
	Full    int64 // connections rejected because the server was full
	Evicted int64 // connections closed to make room
	Busy    int64 // requests beyond one client's share
}

type counters struct{ client, full, evicted, busy atomic.Int64 }

// Counts returns the number of rejected connections and requests since the start.
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

// logInterval is how often rejections are logged.
const logInterval = 30 * time.Second

// logRejections logs totals at an interval, never one line for each rejection: an attacker could fill the log.
func (s *Server) logRejections(ctx context.Context) {
	tick := time.NewTicker(logInterval)
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
