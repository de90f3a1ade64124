package spool_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/spoolfile"
)

const line = `{"at":"2026-11-22T06:05:33Z","site":"s7k2m9qx4p","name":"a.example","port":443,"decision":"refused","count":2}` + "\n"

// put writes a finished file of the spool.
func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, "egress-"+name+".jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesAreTakenOnceOldestFirst(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "2", line)
	put(t, dir, "1", line+line)
	var got []string
	take := func(batch string, entries []spool.Entry) error {
		got = append(got, fmt.Sprint(batch, " ", len(entries)))
		return nil
	}
	for range 2 {
		if err := spool.Ingest(t.Context(), dir, take); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != "[egress-1 2 egress-2 1]" {
		t.Errorf("%v", got)
	}
}

func TestWhatIsNotTakenStaysAndComesAgainUnderItsName(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "1", line)
	down := errors.New("database is down")
	var names []string
	for _, answer := range []error{down, nil} {
		err := spool.Ingest(t.Context(), dir, func(batch string, _ []spool.Entry) error {
			names = append(names, batch)
			return answer
		})
		if !errors.Is(err, answer) {
			t.Errorf("%v, want %v", err, answer)
		}
	}
	if fmt.Sprint(names) != "[egress-1 egress-1]" {
		t.Errorf("%v", names)
	}
}

func TestDamagedFilesAreSetAsideAndHoldUpNoOther(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "1", line+"{")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "egress-2.jsonl")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "3", line)
	var got []string
	err := spool.Ingest(t.Context(), dir, func(batch string, _ []spool.Entry) error { got = append(got, batch); return nil })
	if !errors.Is(err, spool.ErrLine) || fmt.Sprint(got) != "[egress-3]" {
		t.Errorf("took %v, %v", got, err)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "*"+spoolfile.BadSuffix)); len(aside) != 2 {
		t.Errorf("set aside: %v", aside)
	}
}
