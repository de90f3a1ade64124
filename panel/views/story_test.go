package views_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"chatiere/panel/assets"
	"chatiere/panel/views"
	"chatiere/panel/views/viewstest"
)

// parsed is shared: parsing every template again for every page would be most of the tests' time.
var parsed = sync.OnceValues(func() (*views.Set, error) {
	static, err := assets.Load()
	if err != nil {
		return nil, err
	}
	return views.New(static, func() time.Time { return viewstest.Now })
})

func newSet(t *testing.T) *views.Set {
	t.Helper()
	set, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func render(t *testing.T, lang string, page views.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := newSet(t).Render(&b, lang, page); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestStoryOfEveryPage draws every page in every state and both languages. With STORY_DIR set, the pages
// are left there with their assets, to be looked at in a browser.
func TestStoryOfEveryPage(t *testing.T) {
	dir := os.Getenv("STORY_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	set := newSet(t)
	for _, lang := range views.Languages() {
		for _, story := range viewstest.Stories() {
			var b bytes.Buffer
			if err := set.Render(&b, lang, story.Page); err != nil {
				t.Fatalf("%s (%s): %v", story.Name, lang, err)
			}
			write(t, filepath.Join(dir, lang, story.Name+".html"), b.Bytes())
			faults, err := viewstest.Check(&b)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range faults {
				t.Errorf("%s (%s): %s", story.Name, lang, f)
			}
		}
	}
	copyAssets(t, dir)
}

func copyAssets(t *testing.T, dir string) {
	t.Helper()
	static, err := assets.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range static.All() {
		write(t, filepath.Join(dir, "assets", f.Served), f.Content)
	}
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
