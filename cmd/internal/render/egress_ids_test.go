package render_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"chatiere/cmd/internal/render"
)

func TestListsAreFoundBySiteAndHalfWrittenOnesAreNot(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"s000000001.json", ".s000000002.json", "s000000003.json.tmp", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := (&render.Egress{Dir: dir}).IDs(t.Context()); err != nil || !slices.Equal(got, []string{"s000000001"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := (&render.Egress{Dir: filepath.Join(dir, "none")}).IDs(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("without a directory: %v, %v", got, err)
	}
}
