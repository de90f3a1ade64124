package templates_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"chatiere/templates"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file that -update writes.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", file, got)
	}
}

func load(t *testing.T) templates.Catalogue {
	t.Helper()
	catalogue, err := templates.Load(templates.Embedded())
	if err != nil {
		t.Fatalf("the catalogue of the program has faults:\n%v", err)
	}
	return catalogue
}

func wordpress(t *testing.T) templates.Template {
	t.Helper()
	template, err := load(t).Template("wordpress")
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestEveryEntryOfTheCatalogueIsSound(t *testing.T) {
	names := load(t).Names()
	if !slices.Contains(names, "wordpress") {
		t.Fatalf("got %v, want wordpress among them", names)
	}
	for _, name := range names {
		if faults := templates.Check(filepath.Join("catalog", name)); len(faults) > 0 {
			t.Errorf("%s: %v", name, templates.Faults(faults))
		}
	}
}

func TestTheImageRefusesWhatTheManifestRefuses(t *testing.T) {
	rendered := templates.NginxRefusals(wordpress(t).Refuse)
	golden(t, "catalog/wordpress/nginx/refuse.conf", rendered)
}

func TestAnUnknownTemplateOrVersionIsTold(t *testing.T) {
	if _, err := load(t).Template("drupal"); !errors.Is(err, templates.ErrUnknown) {
		t.Errorf("template: got %v, want ErrUnknown", err)
	}
	if _, err := wordpress(t).Version("1.5"); !errors.Is(err, templates.ErrUnknown) {
		t.Errorf("version: got %v, want ErrUnknown", err)
	}
	version, err := wordpress(t).Version("")
	if err != nil || version.Name != wordpress(t).Default {
		t.Errorf("no version named: got %q, %v, want the default", version.Name, err)
	}
}

func TestAnExtraDirectoryAddsTemplatesAndCannotReplaceOurs(t *testing.T) {
	extra := fstest.MapFS{}
	copied(t, extra, "cinema")
	catalogue, err := templates.Load(templates.Embedded(), extra)
	if err != nil {
		t.Fatal(err)
	}
	if got := catalogue.Names(); !slices.Equal(got, []string{"cinema", "wordpress"}) {
		t.Errorf("got %v", got)
	}

	copied(t, extra, "wordpress")
	_, err = templates.Load(templates.Embedded(), extra)
	if !errors.Is(err, templates.ErrInvalid) || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a second wordpress: got %v, want a fault", err)
	}
}

func TestADirectoryWithoutManifestIsAFault(t *testing.T) {
	_, err := templates.Load(fstest.MapFS{"empty/readme": {Data: []byte("x")}})
	if !errors.Is(err, templates.ErrInvalid) || !strings.Contains(err.Error(), "empty/manifest.yaml") {
		t.Errorf("got %v", err)
	}
}

// copied puts our WordPress under another name into a file system.
func copied(t *testing.T, into fstest.MapFS, name string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("catalog/wordpress"), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join("catalog/wordpress", file))
		if file == templates.ManifestFile {
			data = []byte(strings.Replace(string(data), "name: wordpress", "name: "+name, 1))
		}
		into[name+"/"+file] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
