// Package accesslog writes the proxy's access log: one line of JSON for each request, many lines in one write. It exists
// because a write and a general encoder for each line cost more than finding the route.
//
// It knows only what is in a Line. It never blocks a request: lines that the reader does not accept in time are dropped
// and counted. Start reading at Log.
package accesslog

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// flushInterval is the longest time that a line waits; that much of the log is lost with the process.
	flushInterval = time.Second
	// flushSize is the number of buffered bytes that are written earlier.
	flushSize = 32 << 10
	// maxPending bounds the buffered bytes while the reader does not read.
	maxPending = 1 << 20
)

// Line is the log entry of one request. The caller truncates values that come from the client.
type Line struct {
	Time                                           time.Time
	Request, Site, Host, Method, Path, Proto, From string
	Status                                         int
	In, Out                                        int64
	Took                                           time.Duration
	Whole                                          bool
}

// Log collects lines and writes them.
type Log struct {
	w      io.Writer
	prefix []byte

	mu      sync.Mutex
	lines   []byte
	dropped int
	full    chan struct{} // there is enough to be written
}

// New makes a log that writes to w; Run must run for anything to be written. fields are names and values
// that stand on every line.
func New(w io.Writer, fields ...string) *Log {
	l := &Log{w: w, full: make(chan struct{}, 1)}
	for i := 0; i+1 < len(fields); i += 2 {
		l.prefix = text(l.prefix, fields[i], fields[i+1])
	}
	return l
}

// Add buffers a line. On a nil Log it does nothing.
func (l *Log) Add(line *Line) {
	if l == nil {
		return
	}
	l.mu.Lock()
	if len(l.lines) >= maxPending {
		l.dropped++
	} else {
		l.lines = line.append(l.lines, l.prefix)
	}
	n := len(l.lines)
	l.mu.Unlock()
	if n >= flushSize {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// Run writes the buffer regularly until ctx ends, and then a last time.
func (l *Log) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	var spare []byte
	failing := false // the failure was logged
	for {
		select {
		case <-ctx.Done():
			_, _ = l.flush(nil, log) // nobody is left to handle the error
			return
		case <-tick.C:
		case <-l.full:
		}
		var err error
		if spare, err = l.flush(spare, log); err != nil && !failing {
			log.Error("writing access log", "error", err)
		}
		failing = err != nil
	}
}

// flush writes the buffered lines and returns their buffer for reuse. New lines go into spare.
func (l *Log) flush(spare []byte, log *slog.Logger) ([]byte, error) {
	l.mu.Lock()
	lines, dropped := l.lines, l.dropped
	l.lines, l.dropped = spare[:0], 0
	l.mu.Unlock()
	if dropped > 0 {
		log.Warn("access log lines dropped, the reader is too slow", "count", dropped)
	}
	if len(lines) == 0 {
		return lines, nil
	}
	_, err := l.w.Write(lines)
	if cap(lines) > 4*flushSize {
		lines = nil // do not keep the memory of a burst
	}
	return lines, err
}
