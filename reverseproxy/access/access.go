// Package access writes the proxy's access log: one JSON object a line for each request, many lines a
// write. It exists because a write and a general encoder for each line cost more than finding the route.
//
// It knows nothing of requests but what it is told. Nobody ever waits for it: lines that the reader does
// not take in time are dropped and counted. Start reading at Log.
package access

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// every is how long a line waits at most; so much of the log is lost with the process.
	every = time.Second
	// enough is what is written before that.
	enough = 32 << 10
	// most is what may wait while the reader takes nothing.
	most = 1 << 20
)

// Line is what is logged of one request. The values of a client are cut by whoever fills it in.
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

// Add takes a line. A nil Log takes none.
func (l *Log) Add(line *Line) {
	if l == nil {
		return
	}
	l.mu.Lock()
	if len(l.lines) >= most {
		l.dropped++
	} else {
		l.lines = line.append(l.lines, l.prefix)
	}
	n := len(l.lines)
	l.mu.Unlock()
	if n >= enough {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// Run writes until ctx ends, and then what is left.
func (l *Log) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var spare []byte
	failing := false // and it was said
	for {
		select {
		case <-ctx.Done():
			_, _ = l.flush(nil, log) // nobody is left to tell
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

// flush writes what there is, and returns its buffer for the next time. Meanwhile lines go into spare.
func (l *Log) flush(spare []byte, log *slog.Logger) ([]byte, error) {
	l.mu.Lock()
	lines, dropped := l.lines, l.dropped
	l.lines, l.dropped = spare[:0], 0
	l.mu.Unlock()
	if dropped > 0 {
		log.Warn("lines of the access log dropped, nobody takes them", "count", dropped)
	}
	if len(lines) == 0 {
		return lines, nil
	}
	_, err := l.w.Write(lines)
	if cap(lines) > 4*enough {
		lines = nil // a burst is no reason to keep so much
	}
	return lines, err
}
