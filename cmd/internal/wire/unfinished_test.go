package wire_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"chatiere/cmd/internal/records"
	"chatiere/cmd/internal/wire"
	"chatiere/reverseproxy"
	"chatiere/reverseproxy/egress"
	"chatiere/tenants"
)

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

func TestWhatAKilledWorkerLeftHalfWrittenIsSweptAwayAndNothingElse(t *testing.T) {
	c := configure(t, "")
	p := c.Paths()
	dirs := []string{p.EgressDir(), p.RoutesDir(), p.Root()}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writers := map[string]func() error{
		p.EgressDir(): func() error {
			return egress.WriteList(p.EgressDir(), egress.List{Site: "s7k2m9qx4p", GID: 200001, Host: "a.lilas.example"})
		},
		p.RoutesDir(): func() error {
			return reverseproxy.WriteTable(p.Routes(), reverseproxy.Table{Version: 1, PublicPort: 443, Written: time.Now()})
		},
		p.Root(): func() error {
			return records.File{Path: p.RecordsMark()}.Replace(tenants.Mark{Installation: "01lilas", Count: 1})
		},
	}
	for dir, write := range writers {
		if err := write(); err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
	}
	whole := files(t, dirs...)
	for dir, target := range map[string]string{p.EgressDir(): p.Egress("s7k2m9qx4p"), p.RoutesDir(): p.Routes(), p.Root(): p.RecordsMark()} {
		pattern := map[string]string{p.EgressDir(): ".s7k2m9qx4p.json123", p.RoutesDir(): ".routes.json123", p.Root(): ".records.json123"}[dir]
		if err := os.Link(target, filepath.Join(dir, pattern)); err != nil {
			t.Fatal(err)
		}
	}
	if err := wire.Sweep(c); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dirs...); !slices.Equal(left, whole) {
		t.Errorf("left are %q, want %q", left, whole)
	}
}
