package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"chatiere/cmd/internal/failpoint"
	"chatiere/tenants/operations"
)

// The phases of a step in which a kill is counted.
const (
	observing  = "Observe"
	doing      = "Do"
	verifying  = "Verify"
	undoing    = "Undo"
	committing = "commit"
	between    = "between two steps"
)

var phases = []string{observing, doing, verifying, undoing, committing}

// phaseAfter says in which phase an operation is that has passed a point.
var phaseAfter = map[operations.Point]string{
	operations.BeforeObserve: observing, operations.BeforeDo: doing, operations.AfterDo: verifying,
	operations.BeforeCommit: committing, operations.AfterCommit: between, operations.BeforeUndo: undoing,
	operations.AfterUndo: committing, operations.AfterUndoCommit: between,
}

// position is where an operation last was.
type position struct {
	op, kind, step string
	phase          string
}

// trace follows the worker's marks as they are made.
type trace struct {
	dir   string
	watch *os.File

	mu    sync.Mutex
	waits map[chan position]func(position) bool
}

func newTrace(holdDir string) (*trace, error) {
	dir := filepath.Join(holdDir, failpoint.Trace)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watching the worker's marks: %w", err)
	}
	t := &trace{dir: dir, watch: os.NewFile(uintptr(fd), "inotify"), waits: map[chan position]func(position) bool{}}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MOVED_TO); err != nil {
		return nil, errors.Join(fmt.Errorf("watching the worker's marks: %w", err), t.watch.Close())
	}
	go t.follow()
	return t, nil
}

func (t *trace) close() { _ = t.watch.Close() }

// follow ends when the watch is closed.
func (t *trace) follow() {
	buffer := make([]byte, 1<<14)
	for {
		n, err := t.watch.Read(buffer)
		if err != nil {
			return
		}
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			event := (*unix.InotifyEvent)(unsafe.Pointer(&buffer[at])) //nolint:gosec // the kernel's own layout
			at += unix.SizeofInotifyEvent
			name := strings.TrimRight(string(buffer[at:at+int(event.Len)]), "\x00")
			at += int(event.Len)
			if p, ok := t.of(name); ok {
				t.tell(p)
			}
		}
	}
}

func (t *trace) tell(p position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c, fits := range t.waits {
		if fits(p) {
			c <- p
			delete(t.waits, c)
		}
	}
}

// next returns the next place that fits; false when none came in time.
func (t *trace) next(within time.Duration, fits func(position) bool) (position, bool) {
	c := make(chan position, 1)
	t.mu.Lock()
	t.waits[c] = fits
	t.mu.Unlock()
	select {
	case p := <-c:
		return p, true
	case <-time.After(within):
		t.mu.Lock()
		delete(t.waits, c)
		t.mu.Unlock()
		return position{}, false
	}
}

// of reads where an operation last was.
func (t *trace) of(op string) (position, bool) {
	data, err := os.ReadFile(filepath.Join(t.dir, op))
	if err != nil {
		return position{}, false
	}
	parts := strings.Split(string(data), "~")
	if len(parts) != 3 {
		return position{}, false
	}
	phase, known := phaseAfter[operations.Point(parts[2])]
	return position{op, parts[0], parts[1], phase}, known
}
