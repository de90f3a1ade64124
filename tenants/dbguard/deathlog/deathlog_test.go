package deathlog_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"chatiere/tenants/dbguard"
	"chatiere/tenants/dbguard/deathlog"
)

func open(t *testing.T) (*deathlog.Log, string) {
	t.Helper()
	root := t.TempDir()
	return &deathlog.Log{
		Root: filepath.Join(root, "mariadb-sites"), Dir: "deaths", File: filepath.Join(root, "deaths.json"), Log: slog.New(slog.DiscardHandler),
	}, filepath.Join(root, "mariadb-sites/deaths")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var died = time.Date(2026, 11, 30, 20, 0, 0, 0, time.UTC)

func TestNotesAreReadUntilTheyAreRemovedAndDamagedOnesGo(t *testing.T) {
	l, dir := open(t)
	if notes, err := l.Notes(); err != nil || len(notes) != 0 {
		t.Errorf("with no directory: %v, %v", notes, err)
	}
	write(t, filepath.Join(dir, "1-A.json"), `{"format":1,"at":"2026-11-30T20:00:00Z","code":137,"later":true,
		"sites":[{"site":"s000000001","waiting":true,"sent_ms":1500,"size":90}]}`)
	write(t, filepath.Join(dir, "2-B.json.new"), `{"for`)
	for name, text := range map[string]string{
		"cut": `{"format":1,`, "format": `{"format":2,"at":"2026-11-30T20:00:00Z"}`, "time": `{"format":1}`,
		"site":   `{"format":1,"at":"2026-11-30T20:00:00Z","sites":[{"site":"../x","waiting":true}]}`,
		"future": `{"format":1,"at":"2026-11-30T20:00:00Z","sites":[{"site":"s000000001","sent_ms":-1}]}`,
	} {
		write(t, filepath.Join(dir, name+".json"), text)
	}
	write(t, filepath.Join(dir, "../elsewhere"), `{"format":1,"at":"2026-11-30T20:00:00Z"}`)
	if err := os.Symlink("../elsewhere", filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	want := []dbguard.Note{{ID: "1-A", At: died, Sites: []dbguard.NotedSite{{Site: "s000000001", Waiting: true, Sent: 1500 * time.Millisecond, Size: 90}}}}
	for range 2 {
		if notes, err := l.Notes(); err != nil || !reflect.DeepEqual(notes, want) {
			t.Errorf("read %+v, %v", notes, err)
		}
	}
	for range 2 {
		if err := l.Remove("1-A"); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "2-B.json.new" {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestDeathsAreRemembered(t *testing.T) {
	l, _ := open(t)
	if deaths, err := l.Load(); err != nil || len(deaths) != 0 {
		t.Errorf("with no file: %v, %v", deaths, err)
	}
	for _, want := range [][]dbguard.Death{{{ID: "1-A", At: died, Sites: []string{"s000000001"}}}, {}} {
		if err := l.Save(want); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Load(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("remembered %+v, %v; want %+v", got, err, want)
		}
	}
	write(t, l.File, `{"format":1,`)
	if deaths, err := l.Load(); err != nil || len(deaths) != 0 {
		t.Errorf("damaged: %v, %v", deaths, err)
	}
}
