package routes_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/reverseproxy/routes"
)

func matches(t *testing.T, pattern, s string) bool {
	t.Helper()
	re, err := regexp.Compile(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return re.MatchString(s)
}

type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, string(p))
	return len(p), nil
}

func (r *record) count(part string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func watch(t *testing.T, path string, log *record) *routes.Watcher {
	t.Helper()
	w := routes.Open(path, 5*time.Millisecond, time.Now, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return w
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func put(t *testing.T, path string, version int64, at time.Time) {
	t.Helper()
	table := sample()
	table.Version, table.Written = version, at
	data, err := routes.EncodeTable(table)
	if err != nil {
		t.Fatal(err)
	}
	place(t, path, data)
}

// place replaces the file at once: a file written in place is also seen empty, which is one refusal more.
func place(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestWatcherKeepsTheLastGoodTable(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "routes.json"), new(record)
	put(t, path, 5, time.Now())
	w := watch(t, path, log)
	if w.Index() == nil || w.Index().Version() != 5 {
		t.Fatal("first table is not in force after Open")
	}
	place(t, path, []byte(`{"format":1`))
	eventually(t, "the damage is said", func() bool { return log.count("refused") == 1 })
	put(t, path, 4, time.Now().Add(-time.Hour))
	eventually(t, "the stray copy is refused", func() bool { return log.count("older than the one in force") == 1 })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the absence is said", func() bool { return log.count("no such file") == 1 })
	time.Sleep(30 * time.Millisecond) // several polls: nothing is to happen, so nothing can be awaited
	if w.Index().Version() != 5 {
		t.Fatalf("version %d in force", w.Index().Version())
	}
	put(t, path, 6, time.Now())
	eventually(t, "the next table is in force", func() bool { return w.Index().Version() == 6 })
	put(t, path, 1, time.Now())
	eventually(t, "a restored worker is listened to", func() bool { return w.Index().Version() == 1 && log.count("versions restarted") == 1 })
	if n := log.count("refused"); n != 3 {
		t.Errorf("refusals were said %d times: %v", n, log.lines)
	}
}

// A worker that was upgraded first may write fields that this proxy does not know, or a format.
func TestWatcherTakesUnknownFieldsAndNoUnknownFormat(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "routes.json"), new(record)
	put(t, path, 5, time.Now())
	w := watch(t, path, log)
	const newer = `{"format":1,"version":7,"written":"2099-11-22T05:00:00Z","surprise":[1],"public_port":443,` +
		`"checksum":"sha256:f8648e18378a4b4404b740b000e997c117feaa38a952ad53419cf73677f645a0",` +
		`"routes":[{"host":"a.test","site":"s","state":"asleep","refuse":["<&>"],"colour":"blue"}]}`
	place(t, path, []byte(newer))
	eventually(t, "the table with unknown fields is in force", func() bool { return w.Index().Version() == 7 })
	place(t, path, []byte(strings.Replace(strings.Replace(newer, `"format":1`, `"format":2`, 1), `"version":7`, `"version":8`, 1)))
	eventually(t, "the unknown format is said", func() bool { return log.count("unknown route table format") == 1 })
	if w.Index().Version() != 7 {
		t.Errorf("version %d in force", w.Index().Version())
	}
}

func TestWatcherFallsBackToTheTableBefore(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "routes.json"), new(record)
	put(t, path+routes.Previous, 7, time.Now())
	place(t, path, []byte("not a table"))
	w := watch(t, path, log)
	if w.Index() == nil || w.Index().Version() != 7 {
		t.Fatal("nothing in force")
	}
	put(t, path, 8, time.Now())
	eventually(t, "the next table is in force", func() bool { return w.Index().Version() == 8 })
}

func FuzzDecodeTable(f *testing.F) {
	data, err := routes.EncodeTable(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"version":1,"written":"2026-11-22T05:00:00Z","checksum":"","routes":[],"public_port":443}`))
	f.Add([]byte(`{"format":1,"routes":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := routes.DecodeTable(data)
		if err != nil {
			return
		}
		index, err := routes.Compile(table, written)
		if err != nil {
			t.Fatalf("decoded but not compiled: %v", err)
		}
		for _, r := range table.Routes {
			for _, asked := range []string{r.Host, strings.ToUpper(r.Host), r.Host + ".", r.Host + ":443"} {
				if found := index.Lookup(asked); found == nil || found.Host != r.Host || found.Site != r.Site {
					t.Errorf("asked for %q, which leads to %+v", asked, found)
				}
			}
			if index.Lookup("x"+r.Host) != nil && !slices.ContainsFunc(table.Routes, func(o routes.Route) bool { return o.Host == "x"+r.Host }) {
				t.Errorf("x%s leads to a route", r.Host)
			}
		}
		again, err := routes.EncodeTable(table)
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		back, err := routes.DecodeTable(again)
		if err != nil {
			t.Fatalf("encoded but not decoded: %v", err)
		}
		if third, err := routes.EncodeTable(back); err != nil || !bytes.Equal(third, again) {
			t.Errorf("two encodings of one table differ: %v\n%s\n%s", err, again, third)
		}
	})
}
