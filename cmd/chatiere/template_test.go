package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"chatiere/panel/api"
)

const wordpress = "../../templates/catalog/wordpress"

// spoilt copies the manifest and the Dockerfile of a sound template and changes one line of the former.
func spoilt(t *testing.T, old, changed string) (dir string, line int) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "wordpress")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"manifest.yaml", "Dockerfile"} {
		data, err := os.ReadFile(filepath.Join(wordpress, name))
		if err != nil {
			t.Fatal(err)
		}
		if before, _, found := strings.Cut(string(data), old); found && name == "manifest.yaml" {
			line = 1 + strings.Count(before, "\n")
			data = []byte(strings.Replace(string(data), old, changed, 1))
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if line == 0 {
		t.Fatalf("the manifest has no line with %q", old)
	}
	return dir, line
}

func TestABrokenManifestIsToldByFileAndLine(t *testing.T) {
	dir, line := spoilt(t, "modes: [autonome]", "modes: [automat]")
	code, stdout, stderr := said(t, nil, "template", "check", dir)
	if code != api.ExitInvalid || !strings.Contains(stdout, filepath.Join(dir, "manifest.yaml")+":"+strconv.Itoa(line)+": mode") ||
		!strings.Contains(stdout, "automat") || !strings.Contains(stdout, "expected") || !strings.Contains(stderr, "the template has faults") {
		t.Errorf("ended with %d: %s%s", code, stdout, stderr)
	}
	code, stdout, _ = said(t, nil, "template", "check", dir, "--json")
	var v templateVerdict
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatal(err)
	}
	if code != api.ExitInvalid || v.OK || len(v.Faults) != 1 || v.Faults[0].Line != line || v.Faults[0].Path != "modes[0]" {
		t.Errorf("in JSON it ended with %d: %+v", code, v)
	}
}

func TestASoundTemplateHasNoFault(t *testing.T) {
	if code, stdout, stderr := said(t, nil, "template", "check", wordpress); code != api.ExitOK || stdout != wordpress+": no fault\n" {
		t.Errorf("ended with %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, _ := said(t, nil, "template", "check", wordpress, "--json"); code != api.ExitOK || !sameJSON(t, stdout, map[string]any{"directory": wordpress, "ok": true, "faults": []any{}}) {
		t.Errorf("in JSON it ended with %d: %s", code, stdout)
	}
}

func TestADirectoryWithoutManifestIsAFaultOfTheTemplate(t *testing.T) {
	if code, stdout, _ := said(t, nil, "template", "check", t.TempDir()); code != api.ExitInvalid || !strings.Contains(stdout, "manifest.yaml") {
		t.Errorf("ended with %d: %s", code, stdout)
	}
}
