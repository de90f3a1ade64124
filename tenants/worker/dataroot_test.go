package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/reverseproxy"
	"chatiere/reverseproxy/atomicfile"
	"chatiere/reverseproxy/egress"
	"chatiere/tenants"
	"chatiere/tenants/records"
	"chatiere/tenants/worker"
)

// journal keeps what is logged.
type journal struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func newJournal() *journal { return &journal{Handler: slog.DiscardHandler} }

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, r.Message)
	return nil
}

func TestASecondWorkerLogsOnceThatItWaitsAndThenWorks(t *testing.T) {
	root := worker.DataRoot{Lock: filepath.Join(t.TempDir(), "worker.lock")}
	synctest.Test(t, func(t *testing.T) {
		first, err := root.TakeLock(t.Context(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		said := newJournal()
		working := make(chan func(), 1)
		go func() {
			unlock, err := root.TakeLock(t.Context(), slog.New(said))
			if err != nil {
				t.Error(err)
			}
			working <- unlock
		}()
		time.Sleep(time.Minute) // of the bubble's own clock: many looks at the lock
		synctest.Wait()
		if len(working) > 0 {
			t.Fatal("two workers work on one data root")
		}
		if len(said.lines) != 1 || !strings.Contains(said.lines[0], "another worker") {
			t.Errorf("said %q", said.lines)
		}
		first()
		unlock := <-working
		unlock()
	})
}

func TestAWorkerThatIsStoppedWhileItWaitsEnds(t *testing.T) {
	root := worker.DataRoot{Lock: filepath.Join(t.TempDir(), "worker.lock")}
	synctest.Test(t, func(t *testing.T) {
		unlock, err := root.TakeLock(t.Context(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := root.TakeLock(ctx, slog.New(slog.DiscardHandler)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWorkersOfOtherDataRootsDoNotWait(t *testing.T) {
	for range 2 {
		unlock, err := (worker.DataRoot{Lock: filepath.Join(t.TempDir(), "worker.lock")}).TakeLock(t.Context(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
}

func TestALockThatCannotBeMadeIsAnError(t *testing.T) {
	root := worker.DataRoot{Lock: filepath.Join(t.TempDir(), "worker.lock")}
	root.Lock = filepath.Join(filepath.Dir(root.Lock), "nowhere", "worker.lock")
	if _, err := root.TakeLock(t.Context(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("got %v", err)
	}
}

// files lists what lies in the directories, hidden files as well.
func files(t *testing.T, dirs ...string) (out []string) {
	t.Helper()
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				out = append(out, filepath.Join(dir, e.Name()))
			}
		}
	}
	return out
}

func TestUnfinishedFilesOfAKilledWorkerAreRemovedAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	egressDir, routes, mark := filepath.Join(dir, "egress"), filepath.Join(dir, "routes", "routes.json"), filepath.Join(dir, "records.json")
	dirs := []string{egressDir, filepath.Dir(routes), dir}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const site = "s7k2m9qx4p"
	for name, write := range map[string]func() error{
		"list": func() error {
			return egress.WriteList(egressDir, egress.List{Site: site, GID: 200001, Host: "a.lilas.example"})
		},
		"routes": func() error {
			return reverseproxy.WriteTable(routes, reverseproxy.Table{Version: 1, PublicPort: 443, Written: time.Now()})
		},
		"mark": func() error { return records.File{Path: mark}.Replace(tenants.Mark{Installation: "01lilas", Count: 1}) },
	} {
		if err := write(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	whole := files(t, dirs...)
	list := filepath.Join(egressDir, site+".json")
	for _, path := range []string{list, routes, mark} {
		if err := os.Link(path, filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"123")); err != nil {
			t.Fatal(err)
		}
	}
	root := worker.DataRoot{Unfinished: []string{
		atomicfile.Unfinished(filepath.Join(egressDir, "*")), atomicfile.Unfinished(routes), atomicfile.Unfinished(mark),
	}}
	if err := root.RemoveUnfinished(); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dirs...); !slices.Equal(left, whole) {
		t.Errorf("left are %q, want %q", left, whole)
	}
}
