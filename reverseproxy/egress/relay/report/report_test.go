package report_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/egress/relay/report"
	"chatiere/reverseproxy/spoolfile"
)

var quiet = slog.New(slog.DiscardHandler)

var at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func writer(t *testing.T, dir string) *report.Writer {
	t.Helper()
	w, err := report.New(dir, func() time.Time { return at }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func entry(id, state string, changed time.Time) report.Entry {
	return report.Entry{ID: id, Site: "saaaaaaaa1", To: "a…@b.test", State: state, Accepted: at, Changed: changed}
}

func ingest(t *testing.T, dir string) []report.Entry {
	t.Helper()
	var all []report.Entry
	err := report.Format.Ingest(t.Context(), dir, quiet, func(_ string, entries []report.Entry) error { all = append(all, entries...); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheLaterStateOfAMailIsTold(t *testing.T) {
	dir := t.TempDir()
	w := writer(t, dir)
	w.Add(entry("message01.0", "sent", at.Add(time.Second)))
	w.Add(entry("message01.0", "waiting", at))
	if err := errors.Join(w.Flush(), w.Flush()); err != nil {
		t.Fatal(err)
	}
	if got := ingest(t, dir); len(got) != 1 || got[0] != entry("message01.0", "sent", at.Add(time.Second)) {
		t.Errorf("%+v", got)
	}
	if left, _ := report.Format.Files(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestLinesHaveTheDocumentedForm(t *testing.T) {
	dir := t.TempDir()
	w := writer(t, dir)
	e := entry("message01.0", "deferred", at)
	e.Cause, e.Code, e.Said, e.Count, e.Next = "refused", 450, "4.2.0 later", 2, at.Add(time.Minute)
	w.Add(e)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	paths, _ := report.Format.Files(dir)
	text, err := os.ReadFile(paths[0])
	const want = `{"id":"message01.0","site":"saaaaaaaa1","to":"a…@b.test","state":"deferred","cause":"refused","code":450,` +
		`"said":"4.2.0 later","count":2,"accepted":"2026-11-22T08:00:00Z","changed":"2026-11-22T08:00:00Z","next":"2026-11-22T08:01:00Z"}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestEntriesComeAgainUntilTheyAreTaken(t *testing.T) {
	dir := t.TempDir()
	w := writer(t, dir)
	for i := range 12_000 { // more than one file
		w.Add(entry(fmt.Sprintf("message%05d.0", i), "sent", at))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no database")
	if err := report.Format.Ingest(t.Context(), dir, quiet, func(string, []report.Entry) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if got := ingest(t, dir); len(got) != 12_000 {
		t.Errorf("%d entries", len(got))
	}
	ended, end := context.WithCancel(t.Context())
	end()
	w.Add(entry("message01.0", "sent", at))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := report.Format.Ingest(ended, dir, quiet, func(string, []report.Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestWhatCouldNotBeWrittenIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports")
	w := writer(t, dir)
	w.Add(entry("message01.0", "waiting", at))
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err == nil {
		t.Fatal("writing into nowhere succeeded")
	}
	w.Add(entry("message01.0", "sent", at.Add(time.Second)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := ingest(t, dir); len(got) != 1 || got[0].State != "sent" {
		t.Errorf("%+v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":"message01.0","site":"saaaaaaaa1","to":"a…@b.test","state":"sent","count":1,"accepted":"2026-11-22T08:00:00Z","changed":"2026-11-22T08:00:00Z"}` + "\n"))
	f.Add([]byte("{\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := report.Format.Parse(text)
		if err != nil && (!errors.Is(err, spoolfile.ErrDamaged) || got != nil) {
			t.Fatalf("%v, %v", got, err)
		}
		for _, e := range got {
			if !strings.HasPrefix(e.Site, "s") || e.Count < 0 || e.Changed.IsZero() || e.State == "" {
				t.Fatalf("accepted %+v", e)
			}
		}
	})
}
