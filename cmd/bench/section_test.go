package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASectionReplacesItselfAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	write := func(name, text string) string {
		t.Helper()
		if err := writeSection(path, name, text); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	write("proxy", "figures of the proxy, first\n")
	document := write("sites", "figures of the sites")
	if !strings.HasPrefix(document, "# Figures") || strings.Index(document, "of the proxy") > strings.Index(document, "of the sites") {
		t.Fatalf("%q", document)
	}
	// What a person wrote in between stays.
	document = strings.Replace(document, "<!-- end proxy -->\n", "<!-- end proxy -->\n\nA person's words.\n", 1)
	if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
		t.Fatal(err)
	}
	got := write("proxy", "figures of the proxy, second")
	if want := strings.Replace(document, "first", "second", 1); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMarkersThatDoNotPairAreRefused(t *testing.T) {
	for _, document := range []string{"<!-- begin proxy -->\n", "<!-- end proxy -->\n", "<!-- end proxy -->\n<!-- begin proxy -->\n"} {
		if out, err := splice(document, "proxy", "x"); err == nil {
			t.Errorf("%q became %q", document, out)
		}
	}
}
