package backups

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// memory is a Writer that keeps objects.
type memory struct{ objects map[string]string }

func (m *memory) Object(_ context.Context, r io.Reader) (string, int64, error) {
	p, err := io.ReadAll(r)
	id := strconv.Itoa(len(m.objects))
	m.objects[id] = string(p)
	return id, int64(len(p)), err
}

func (m *memory) Directory(_ context.Context, nodes []Node) (Node, error) {
	return Node{Object: "d", Files: int64(len(nodes))}, nil
}

func (m *memory) Save(context.Context, Snapshot, Node) (string, error) { return "", nil }
func (m *memory) Delete(context.Context, string) error                 { return nil }
func (m *memory) Pin(context.Context, string, bool) (string, error)    { return "", nil }

// Between the moment at which a file is listed and that at which it is read, its owner may replace or remove it. Its other
// names must not get what lies under its name by then.
func TestFurtherNamesOfAFileKeepTheirContent(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"nothing":  func(string) error { return nil },
		"removed":  os.Remove,
		"replaced": func(path string) error { return os.Rename(filepath.Join(filepath.Dir(path), "z-other"), path) },
		"a link":   func(path string) error { _ = os.Remove(path); return os.Symlink("z-other", path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"a": "the content", "z-other": "another"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range []string{"b", "c"} {
				if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
			}
			store := &memory{objects: map[string]string{}}
			entries := saved(t, dir, store, func() {
				if err := change(filepath.Join(dir, "a")); err != nil {
					t.Error(err)
				}
			})
			for _, file := range []Raw{"b", "c"} {
				e, known := entries[file]
				for known && e.HardTo != "" {
					e, known = entries[e.HardTo]
				}
				if !known || store.objects[e.Object] != "the content" {
					t.Errorf("%s has the content %q (in the manifest: %v)", file, store.objects[e.Object], known)
				}
			}
		})
	}
}

// saved saves a directory; changed is called when everything is listed and nothing read.
func saved(t *testing.T, dir string, w Writer, changed func()) map[Raw]Entry {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }() // only read
	s := &saver{writer: w, options: Options{Now: time.Now}, snapshot: &Snapshot{}, previous: &cursor{ended: true}}
	listed := make(chan *pending, window)
	var unread []*pending
	if err := s.list(t.Context(), root, listed, func(p *pending) { unread = append(unread, p) }); err != nil {
		t.Fatal(err)
	}
	close(listed)
	changed()
	for _, p := range unread {
		if err := s.readFile(t.Context(), root, p); err != nil {
			t.Fatal(err)
		}
		close(p.done)
	}
	var manifest bytes.Buffer
	b := treeBuilder{saver: s, root: root, manifest: json.NewEncoder(&manifest)}
	if _, err := b.build(t.Context(), listed); err != nil {
		t.Fatal(err)
	}
	out := map[Raw]Entry{}
	for lines := NewManifestReader(strings.NewReader(manifest.String())); ; {
		e, err := lines.Next()
		if err != nil {
			return out
		}
		out[e.Path] = e
	}
}
