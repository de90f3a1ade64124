package spoolfile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/reverseproxy/spoolfile"
)

var (
	quiet  = slog.New(slog.DiscardHandler)
	start  = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	format = spoolfile.Format[int]{Prefix: "n-", MaxFile: 100, MaxLine: 20, Valid: func(n int) bool { return n >= 0 }}
)

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreIngestedOnceOldestFirst(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "n-2.jsonl", "3\n")
	put(t, dir, "n-1.jsonl", "1\n2\n")
	put(t, dir, "n-0.jsonl", "")         // nothing to take
	put(t, dir, ".n-3.jsonl123", "half") // being written
	put(t, dir, "m-1.jsonl", "of another kind\n")
	var got []string
	for range 2 {
		err := format.Ingest(t.Context(), dir, quiet, func(batch string, values []int) error {
			got = append(got, fmt.Sprint(batch, values))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != "[n-1.jsonl[1 2] n-2.jsonl[3]]" {
		t.Errorf("%v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	if err := format.Ingest(t.Context(), filepath.Join(dir, "none"), quiet, nil); err != nil {
		t.Errorf("without a directory: %v", err)
	}
}

func TestWhatIsNotTakenStaysAndComesAgainUnderItsName(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "n-1.jsonl", "1\n")
	put(t, dir, "n-2.jsonl", "2\n")
	down := errors.New("database is down")
	var names []string
	for _, answer := range []error{down, nil} {
		err := format.Ingest(t.Context(), dir, quiet, func(batch string, _ []int) error {
			names = append(names, batch)
			return answer
		})
		if !errors.Is(err, answer) {
			t.Errorf("%v, want %v", err, answer)
		}
	}
	if fmt.Sprint(names) != "[n-1.jsonl n-1.jsonl n-2.jsonl]" {
		t.Errorf("%v", names)
	}
}

func TestDamagedFilesAreSetAsideAndDelayNoOther(t *testing.T) {
	dir := t.TempDir()
	for i, text := range []string{"1\n{\n", "-1\n", strings.Repeat(" ", 30) + "\n", strings.Repeat("1\n", 60), "1\n\x00\x00"} {
		put(t, dir, fmt.Sprintf("n-%d.jsonl", i), text)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "n-5.jsonl")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "n-6.jsonl", "6\n") // cannot be stored
	put(t, dir, "n-7.jsonl", "7\n")
	var log strings.Builder
	var got []int
	err := format.Ingest(t.Context(), dir, slog.New(slog.NewTextHandler(&log, nil)), func(_ string, values []int) error {
		if values[0] == 6 {
			return fmt.Errorf("%w: too long for its column", spoolfile.ErrDamaged)
		}
		got = append(got, values...)
		return nil
	})
	if err != nil || fmt.Sprint(got) != "[7]" {
		t.Errorf("took %v, %v", got, err)
	}
	aside, err := spoolfile.SetAside(dir, time.Now())
	if err != nil || len(aside) != 7 || strings.Count(log.String(), "set aside") != 7 {
		t.Errorf("set aside %v, %v; log:\n%s", aside, err, log.String())
	}
}

func TestAnEndedContextEndsTheRound(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "n-1.jsonl", "1\n")
	put(t, dir, "n-2.jsonl", "2\n")
	ctx, cancel := context.WithCancel(t.Context())
	taken := 0
	err := format.Ingest(ctx, dir, quiet, func(string, []int) error { taken++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || taken != 1 {
		t.Errorf("took %d, %v", taken, err)
	}
}

func TestAFileIsNeverSeenHalf(t *testing.T) {
	dir := t.TempDir()
	w := spoolfile.NewWriter(format, dir, func() time.Time { return start }, quiet)
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range 50 {
			if err := w.Write([]int{i, i}); err != nil {
				t.Error(err)
			}
		}
	})
	for next := 0; next < 50 && !t.Failed(); {
		err := format.Ingest(t.Context(), dir, quiet, func(batch string, values []int) error {
			if len(values) != 2 || values[0] != next {
				t.Errorf("%s holds %v, want %d twice", batch, values, next)
			}
			next++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wait.Wait()
	if bad, _ := spoolfile.SetAside(dir, time.Now()); len(bad) != 0 {
		t.Errorf("set aside: %v", bad)
	}
}

func TestOldFilesGiveWayToNewOnes(t *testing.T) {
	dir := t.TempDir()
	big := strings.Repeat("x", 1<<20)
	for i := range 70 {
		put(t, dir, fmt.Sprintf("n-2000%04d.jsonl", i), big)
	}
	if err := spoolfile.NewWriter(format, dir, func() time.Time { return start }, quiet).Write([]int{1}); err != nil {
		t.Fatal(err)
	}
	paths, err := format.Files(dir)
	if err != nil || len(paths) != 64 || filepath.Base(paths[0]) != "n-20000007.jsonl" {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	if read, err := format.ReadFile(paths[63]); err != nil || len(read) != 1 {
		t.Errorf("the new file: %v, %v", read, err)
	}
}

func TestHalfWrittenFilesOfAPredecessorGo(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, ".n-1.jsonl123", "1")
	put(t, dir, ".m-1.jsonl123", "somebody else's")
	spoolfile.NewWriter(format, dir, func() time.Time { return start }, quiet)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
