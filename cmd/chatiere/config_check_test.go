package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said runs a command line and returns its exit code and what it said.
func said(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, env, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chatiere.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigCheckReportsEveryFaultAndEndsWithThree(t *testing.T) {
	path := configFile(t, "instance: Lilas\npublic_port: none\n")
	code, _, stderr := said(t, []string{"CHATIERE_CONFIG=" + path}, "config", "check")
	if code != exitConfig {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{path + ":1: instance", path + ":2: public_port", path + ": domain", "expected:", "3 fault(s)"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no mention of %q in\n%s", want, stderr)
		}
	}
}

func TestConfigCheckAnswersInJSON(t *testing.T) {
	code, stdout, _ := said(t, nil, "config", "check", "--json", "--config", configFile(t, "instance: lilas\n"))
	var v verdict
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if code != exitConfig || v.OK || len(v.Faults) != 1 || v.Faults[0].Key != "domain" {
		t.Errorf("exit code %d, verdict %+v", code, v)
	}
}

func TestSetupThenConfigCheckFindsNoFault(t *testing.T) {
	dir, err := os.MkdirTemp("", "cli")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	root := filepath.Join(dir, "root")
	if code, _, stderr := said(t, nil, "setup", "--root", root, "--domain", "lilas.example", "--instance", "lilas"); code != exitDone {
		t.Fatalf("setup ended with %d: %s", code, stderr)
	}
	if code, stdout, stderr := said(t, nil, "config", "check", "--config", root+"/chatiere.yaml"); code != exitDone || !strings.Contains(stdout, "no fault") {
		t.Errorf("config check ended with %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := said(t, nil, "setup", "--root", root, "--https-port", "9443"); code != exitConfig || !strings.Contains(stderr, "9443") {
		t.Errorf("a contradiction ended with %d: %s", code, stderr)
	}
	if code, _, _ := said(t, nil, "health", "panel", "--config", root+"/chatiere.yaml"); code != exitFailed {
		t.Errorf("the health of a panel that does not run ended with %d", code)
	}
}

func TestWrongCommandLinesEndWithTwo(t *testing.T) {
	for _, args := range [][]string{{"setup", "--nope"}, {"config", "check", "extra"}, {"health"}, {"health", "database"}} {
		if code, _, stderr := said(t, nil, args...); code != exitUsage || stderr == "" {
			t.Errorf("%v ended with %d: %q", args, code, stderr)
		}
	}
}
