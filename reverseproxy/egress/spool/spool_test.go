package spool_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/spoolfile"
)

var start = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *spool.Spool {
	t.Helper()
	s, err := spool.New(dir, func() time.Time { return start }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func flush(t *testing.T, s *spool.Spool) {
	t.Helper()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, dir string) []spool.Entry {
	t.Helper()
	paths, err := spool.Format.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []spool.Entry
	for _, path := range paths {
		read, err := spool.Format.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, read...)
	}
	return all
}

func TestEntriesOfOneWindowAreSummed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	key := spool.Key{Site: "s1", Name: "a.example", Port: 443, Decision: spool.Allowed}
	s.Add(key, 1, 0, 0)
	s.Add(key, 0, 10, 20)
	s.Add(key, 1, 1, 2)
	s.Add(spool.Key{Site: "s1", Name: "b.example", Port: 80, Decision: spool.Refused, Reason: "name not in list"}, 1, 0, 0)
	flush(t, s)
	got := entries(t, dir)
	want := []spool.Entry{
		{At: start, Key: key, Count: 2, Sent: 11, Received: 22, Bytes: 33},
		{At: start, Key: spool.Key{
			Site: "s1", Name: "b.example", Port: 80, Decision: spool.Refused, Reason: "name not in list",
		}, Count: 1},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	flush(t, s)
	if again := entries(t, dir); len(again) != 2 {
		t.Errorf("an empty window was written: %v", again)
	}
}

func TestLinesHaveTheDocumentedForm(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.Add(spool.Key{Site: "s1", Name: "a.example", Port: 443, Decision: spool.Refused, Reason: "why"}, 1, 0, 0)
	flush(t, s)
	paths, _ := spool.Format.Files(dir)
	text, err := os.ReadFile(paths[0])
	const want = `{"at":"2026-11-22T05:00:00Z","site":"s1","name":"a.example","port":443,"decision":"refused",` +
		`"reason":"why","count":1,"sent":0,"received":0,"bytes":0}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestMemoryIsBoundedPerSite(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 5000 {
		s.Add(spool.Key{Site: "hostile", Name: fmt.Sprintf("n%d.example", i), Decision: spool.Refused}, 1, 0, 0)
	}
	s.Add(spool.Key{Site: "quiet", Name: "a.example", Decision: spool.Allowed}, 1, 0, 0)
	flush(t, s)
	got := entries(t, dir)
	var tries int64
	names := map[string]bool{}
	for _, e := range got {
		if e.Site == "hostile" {
			tries += e.Count
		}
		names[e.Name] = true
	}
	if len(got) > 320 || tries != 5000 || !names["a.example"] {
		t.Errorf("%d entries, %d tries, quiet site counted: %v", len(got), tries, names["a.example"])
	}
}

func TestWhatCouldNotBeWrittenIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir)
	s.Add(spool.Key{Site: "s1", Name: "a.example", Decision: spool.Allowed}, 1, 2, 3)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err == nil {
		t.Fatal("writing into nowhere succeeded")
	}
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if got := entries(t, dir); len(got) != 1 || got[0].Bytes != 5 || got[0].Count != 1 {
		t.Errorf("%v", got)
	}
}

func TestEntriesThatNoGatewayCanHaveWrittenAreDamaged(t *testing.T) {
	for _, bad := range []string{"{", "[]", `{"count":1}`, strings.Repeat("x", 5000), `{"site":"s1","count":-1}`} {
		if got, err := spool.Format.Parse([]byte(bad + "\n")); !errors.Is(err, spoolfile.ErrDamaged) {
			t.Errorf("%.20s: %v, %v", bad, got, err)
		}
	}
}

// What Parse accepts can be written again and read as the same, and fits a page and a column.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"at":"2026-11-22T05:00:00Z","site":"s1","port":443,"decision":"allowed","count":1}` + "\n"))
	f.Add([]byte("{\n"))
	f.Add([]byte(`{"site":"s1","port":99999}`))
	f.Add([]byte(`{"site":"s1","name":"a\u001b[2Jb"}`))
	f.Add([]byte(`{"site":"s1","count":9223372036854775807,"bytes":-1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := spool.Format.Parse(text)
		if err != nil && !errors.Is(err, spoolfile.ErrDamaged) {
			t.Errorf("%v", err)
		}
		var again bytes.Buffer
		for _, e := range got {
			if e.Site == "" || len(e.Site) > 64 || len(e.Name) > 253 || min(e.Count, e.Sent, e.Received, e.Bytes) < 0 || e.Port < 0 || e.Port > 65535 ||
				strings.ContainsFunc(e.Site+e.Name+e.Reason+string(e.Decision), unicode.IsControl) {
				t.Errorf("accepted %v", e)
			}
			if err := json.NewEncoder(&again).Encode(e); err != nil {
				t.Fatal(err)
			}
		}
		if again.Len() > 4000*len(got) {
			return // a line may have grown over its limit by escapes
		}
		if back, err := spool.Format.Parse(again.Bytes()); err != nil || !slices.Equal(back, got) {
			t.Errorf("read %v, written and read as %v: %v", got, back, err)
		}
	})
}
