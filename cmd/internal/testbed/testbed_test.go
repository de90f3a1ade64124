package testbed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/testbed"
)

func TestOpenNeedsASiteInTheSummary(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("chatiere.yaml", "instance: essai\ndomain: lilas.example\nroot: "+dir+"\n")
	whole := write("summary.json", `{"association": "amap", "sites": [{"id": "s7k2m9qx4p"}]}`)
	i, err := testbed.Open(file, whole)
	if err != nil || i.Config.Instance != "essai" || i.Summary.Association != "amap" {
		t.Fatalf("got %+v, %v", i, err)
	}
	if got, err := i.Container(t.Context(), "worker"); err != nil || got != "chatiere-essai-worker" {
		t.Errorf("the worker's container is %q, %v", got, err)
	}
	for name, c := range map[string]struct{ file, summary string }{
		"no configuration":        {filepath.Join(dir, "absent"), whole},
		"no summary":              {file, filepath.Join(dir, "absent")},
		"a summary that is none":  {file, file},
		"a summary without sites": {file, write("empty.json", `{}`)},
	} {
		if _, err := testbed.Open(c.file, c.summary); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAwaitEndsWithSuccessTheDeadlineOrTheContext(t *testing.T) {
	errNotYet := errors.New("not yet")
	tries := 0
	err := testbed.Await(t.Context(), time.Minute, time.Millisecond, "the third try", func() error {
		if tries++; tries < 3 {
			return errNotYet
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("ended after %d tries with %v", tries, err)
	}
	never := func() error { return errNotYet }
	if err := testbed.Await(t.Context(), time.Millisecond, time.Millisecond, "what never is", never); !errors.Is(err, errNotYet) {
		t.Errorf("at the deadline: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = testbed.Await(ctx, time.Minute, time.Hour, "what never is", never)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errNotYet) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestFiguresAreReadFromProc(t *testing.T) {
	if name, err := testbed.Figure("self/status", "Name"); err != nil || !strings.HasPrefix(name, "testbed") {
		t.Errorf("the program is %q, %v", name, err)
	}
	all, err := testbed.KiB("meminfo", "MemTotal")
	if free, freeErr := testbed.KiB("meminfo", "MemAvailable"); err != nil || freeErr != nil || free <= 0 || all <= free {
		t.Errorf("%d KiB of %d are available, %v, %v", free, all, freeErr, err)
	}
	if _, err := testbed.Figure("meminfo", "Nothing"); err == nil {
		t.Error("a figure that is not there is no error")
	}
	if _, err := testbed.Figure("nothing", "MemTotal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
