package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecordsAreNotAcceptedForAWorkerThatIsAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "chatiere.yaml")
	if err := os.WriteFile(path, []byte("instance: lilas\ndomain: lilas.example\nroot: "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"records", "accept", "--config", path}, nil, strings.NewReader(""), &out, &errs)
	if code != exitFailed || !strings.Contains(errs.String(), "start it first") {
		t.Errorf("ended with %d: %s%s", code, &out, &errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "records.accept")); err == nil {
		t.Error("a word lies there for whatever comes")
	}
}
