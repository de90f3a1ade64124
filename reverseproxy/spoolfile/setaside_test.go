package spoolfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"chatiere/reverseproxy/spoolfile"
)

func TestTheNewestTwentyFilesThatWereSetAsideStayForAMonth(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	put := func(name string, age time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	put("traffic-00.jsonl", 90*24*time.Hour) // waits to be read
	for n := range 30 {
		put(fmt.Sprintf("traffic-%02d.jsonl.bad", n), time.Hour)
	}
	put("traffic-25.jsonl.bad", 31*24*time.Hour)
	kept, err := spoolfile.SetAside(dir, now)
	if err != nil || len(kept) != 19 || filepath.Base(kept[0]) != "traffic-10.jsonl.bad" || slices.Contains(kept, filepath.Join(dir, "traffic-25.jsonl.bad")) {
		t.Errorf("kept %v, %v", kept, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 20 {
		t.Errorf("there are %v, %v", left, err)
	}
	if kept, err := spoolfile.SetAside(filepath.Join(dir, "none"), now); err != nil || len(kept) != 0 {
		t.Errorf("without a directory: %v, %v", kept, err)
	}
}
