package routes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watcher holds the index in force and follows the table's file. A table that is damaged, invalid or older than the one
// in force is rejected with one log line, and the last good one stays.
type Watcher struct {
	path     string
	interval time.Duration
	clock    func() time.Time
	log      *slog.Logger

	current atomic.Pointer[Index]
	seen    fingerprint // of the last content looked at; owned by the goroutine in Run, or by the caller before
}

// fingerprint detects cheaply whether a file may have changed.
type fingerprint struct {
	size    int64
	inode   uint64
	changed time.Time
	fault   string
}

func fingerprintOf(info fs.FileInfo) fingerprint {
	print := fingerprint{size: info.Size(), changed: info.ModTime()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		print.inode = stat.Ino
	}
	return print
}

// Open reads the table at path, or the one before it if that one is unusable, and returns a watcher
// that holds it. No table at all is no error: the watcher then holds nothing until one appears.
func Open(path string, every time.Duration, clock func() time.Time, log *slog.Logger) *Watcher {
	w := &Watcher{path: path, interval: every, clock: clock, log: log}
	w.refresh()
	if w.current.Load() == nil {
		w.loadPrevious()
	}
	return w
}

// Index returns the index in force; it is nil as long as no table was ever readable.
func (w *Watcher) Index() *Index { return w.current.Load() }

// Run follows the file until ctx ends, by notifications and by polling in case one is lost.
func (w *Watcher) Run(ctx context.Context) {
	events, faults, stop := w.notifications()
	defer stop()
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case err := <-faults:
			w.log.Warn("watching route table", "error", err) // events may be lost: refresh
		case event := <-events:
			if filepath.Base(event.Name) != filepath.Base(w.path) {
				continue
			}
		}
		w.refresh()
	}
}

// notifications watches the directory, since the file itself is replaced. If the kernel grants no watch, the file is
// only polled.
func (w *Watcher) notifications() (events <-chan fsnotify.Event, faults <-chan error, stop func()) {
	watch, err := fsnotify.NewWatcher()
	if err == nil {
		err = watch.Add(filepath.Dir(w.path))
		if err != nil {
			err = errors.Join(err, watch.Close())
		}
	}
	if err != nil {
		w.log.Warn("route table is polled only", "error", err)
		return nil, nil, func() {}
	}
	return watch.Events, watch.Errors, func() {
		if err := watch.Close(); err != nil {
			w.log.Warn("closing route table watch", "error", err)
		}
	}
}

// refresh loads the file if it changed and is valid.
func (w *Watcher) refresh() {
	info, err := os.Stat(w.path)
	if err != nil {
		w.reject(fingerprint{}, err)
		return
	}
	print := fingerprintOf(info)
	if seen := w.seen; seen.size == print.size && seen.inode == print.inode && seen.changed.Equal(print.changed) {
		return
	}
	table, _, err := readFile(w.path)
	if err == nil {
		err = w.adopt(table)
	}
	if err != nil {
		w.reject(print, err)
		return
	}
	w.seen = print
}

// adopt compiles table and puts it in force.
func (w *Watcher) adopt(table Table) error {
	old := w.current.Load()
	index, err := Compile(table, w.clock())
	if err != nil {
		return err
	}
	if old != nil {
		if index.sum == old.sum && table.Version == old.table.Version {
			return nil
		}
		if !table.Supersedes(old.table, old.loaded) {
			return fmt.Errorf("%w: version %d, in force %d", ErrStale, table.Version, old.table.Version)
		}
		if table.Version <= old.table.Version {
			w.log.Warn("route table versions restarted", "version", table.Version, "before", old.table.Version)
		}
	}
	w.current.Store(index)
	w.log.Info("route table in force", "version", table.Version, "routes", len(table.Routes))
	return nil
}

// reject remembers the file, so that it is read again only when it changes, and logs the reason once.
func (w *Watcher) reject(print fingerprint, err error) {
	print.fault = err.Error()
	if w.seen == print {
		return
	}
	w.seen = print
	if errors.Is(err, fs.ErrNotExist) && w.current.Load() == nil {
		w.log.Warn("no route table yet", "path", w.path)
		return
	}
	w.log.Error("route table refused, keeping the last good one", "path", w.path, "error", err)
}

func (w *Watcher) loadPrevious() {
	table, _, err := readFile(w.path + Previous)
	if err == nil {
		err = w.adopt(table)
	}
	switch {
	case err == nil:
		w.log.Warn("serving with the previous route table", "version", table.Version)
	case !errors.Is(err, fs.ErrNotExist):
		w.log.Error("previous route table refused", "error", err)
	}
}

// readFile returns the table at path and the time its file was written.
func readFile(path string) (Table, time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Table{}, time.Time{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Table{}, time.Time{}, err
	}
	table, err := DecodeTable(data)
	return table, info.ModTime(), err
}
