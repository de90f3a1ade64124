package kopia_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatiere/backups"
	"chatiere/backups/kopia"

	"golang.org/x/sys/unix"
)

// open makes a repository in a temporary directory.
func open(t *testing.T) (*kopia.Repository, kopia.Options) {
	t.Helper()
	o := kopia.Options{Dir: filepath.Join(t.TempDir(), "repository"), Password: "a password"}
	must(t, kopia.Create(t.Context(), o))
	return reopen(t, o), o
}

func reopen(t *testing.T, o kopia.Options) *kopia.Repository {
	t.Helper()
	r, err := kopia.Open(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r
}

func save(t *testing.T, r backups.Repository, dir string, previous *backups.Snapshot) backups.Snapshot {
	t.Helper()
	s, err := backups.Save(t.Context(), r, backups.Source{Dir: dir}, backups.Options{Subject: "site:s1", Reason: "daily", Previous: previous, Now: time.Now})
	must(t, err)
	return s
}

func restore(t *testing.T, r backups.Repository, s backups.Snapshot) string {
	t.Helper()
	dir := t.TempDir()
	must(t, backups.Restore(t.Context(), r, s, dir, backups.RestoreOptions{}))
	return dir
}

func compare(t *testing.T, want, got []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing after the restore: %.300s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("other than before: %.300s", line)
		}
	}
}

// trees is how many are tried: few under the race detector, 200 with the integration tests.
var trees = 20

func TestTreesComeBackIdentical(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("owners can only be given by root: run the tests as root")
	}
	r, _ := open(t)
	for seed := range trees {
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		dir := t.TempDir()
		grow(t, random, dir, 0)
		first := portrait(t, dir)
		s := save(t, r, dir, nil)
		disturb(t, random, dir)
		second := portrait(t, dir)
		next := save(t, r, dir, &s)
		compare(t, second, portrait(t, restore(t, r, next)))
		compare(t, first, portrait(t, restore(t, r, s)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestAFileIsReadAgainOnlyWhenItMayHaveChanged(t *testing.T) {
	r, _ := open(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "same"), bytes.Repeat([]byte("s"), 5000), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "changed"), bytes.Repeat([]byte("1"), 700), 0o600))
	at := time.Now().Add(10 * time.Second) // past the time in which a change could show the same ctime
	options := func(previous *backups.Snapshot) backups.Options {
		return backups.Options{Subject: "site:s1", Previous: previous, Now: func() time.Time { return at }}
	}
	first, err := backups.Save(t.Context(), r, backups.Source{Dir: dir}, options(nil))
	must(t, err)

	// Same size and same modification time: only ctime tells.
	info, err := os.Stat(filepath.Join(dir, "changed"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "changed"), bytes.Repeat([]byte("2"), 700), 0o600))
	must(t, os.Chtimes(filepath.Join(dir, "changed"), info.ModTime(), info.ModTime()))
	second, err := backups.Save(t.Context(), r, backups.Source{Dir: dir}, options(&first))
	must(t, err)
	if second.ReadSize != 700 {
		t.Errorf("%d bytes were read, want the 700 of the changed file", second.ReadSize)
	}
	if second.Bytes != 5700 {
		t.Errorf("the snapshot has %d bytes, want 5700", second.Bytes)
	}
	compare(t, portrait(t, dir), portrait(t, restore(t, r, second)))

	at = at.Add(28 * 24 * time.Hour)
	third, err := backups.Save(t.Context(), r, backups.Source{Dir: dir}, options(&second))
	must(t, err)
	if third.ReadSize != 5700 {
		t.Errorf("%d bytes were read after 28 days, want all 5700", third.ReadSize)
	}
}

func TestAFileChangedWithinATickOfTheClockIsReadAgain(t *testing.T) {
	r, _ := open(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	must(t, os.WriteFile(name, []byte("one"), 0o600))
	first := save(t, r, dir, nil) // at once: within the same second
	second := save(t, r, dir, &first)
	if second.ReadSize != 3 {
		t.Errorf("%d bytes were read: a change within the tick in which the file was read would not be seen", second.ReadSize)
	}
}

func TestWhatCannotBeSavedIsNamedAndTheRestIsSaved(t *testing.T) {
	r, _ := open(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "good"), []byte("good"), 0o600))
	must(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	must(t, unix.Mknod(filepath.Join(dir, "socket"), unix.S_IFSOCK|0o600, 0))
	s := save(t, r, dir, nil)
	if s.MissingCount != 2 || len(s.Missing) != 2 || s.Missing[0] != (backups.Missed{Path: "pipe", Why: "special"}) || s.Missing[1].Path != "socket" {
		t.Errorf("missing: %d %v, want the pipe and the socket", s.MissingCount, s.Missing)
	}
	if got := portrait(t, restore(t, r, s)); len(got) != 2 {
		t.Errorf("restored: %v, want the directory and the good file", got)
	}
	listed, err := r.Snapshots(t.Context())
	must(t, err)
	if len(listed) != 1 || listed[0].MissingCount != 2 || listed[0].ID != s.ID {
		t.Errorf("listed: %+v", listed)
	}
}

func dumpOf(text string) *backups.DumpSource {
	return &backups.DumpSource{Reader: strings.NewReader(text), Engine: "mariadb", Locked: []string{"wp_log"}}
}

func TestADumpThatIsNotCompleteIsNoSnapshot(t *testing.T) {
	broken := errors.New("exit status 2")
	for name, source := range map[string]io.Reader{
		"ends half-way":              strings.NewReader("CREATE TABLE x;\nINSERT"),
		"empty":                      strings.NewReader(""),
		"fails half-way":             io.MultiReader(strings.NewReader("CREATE"), failingReader{broken}),
		"fails after the last line":  io.MultiReader(strings.NewReader("x\n-- Dump completed\n"), failingReader{broken}),
		"has the trailer in its row": strings.NewReader("INSERT '-- Dump completed';\nINSERT"),
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := open(t)
			d := dumpOf("")
			d.Reader = source
			if _, err := backups.Save(t.Context(), r, backups.Source{Dir: t.TempDir(), Dump: d}, backups.Options{Subject: "site:s1", Now: time.Now}); err == nil {
				t.Error("the snapshot was saved")
			}
			if listed, err := r.Snapshots(t.Context()); err != nil || len(listed) != 0 {
				t.Errorf("listed: %v, %v", listed, err)
			}
		})
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func TestADumpComesBack(t *testing.T) {
	r, o := open(t)
	text := strings.Repeat("INSERT INTO x VALUES ('🎥 é');\n", 40_000) + "-- Dump completed on 2026-12-01\n"
	s, err := backups.Save(t.Context(), r, backups.Source{Dump: dumpOf(text)}, backups.Options{Subject: "site:s1", Now: time.Now})
	must(t, err)
	again := reopen(t, o)
	listed, err := again.Snapshots(t.Context())
	must(t, err)
	if len(listed) != 1 || listed[0].Database == nil || listed[0].Database.Locked[0] != "wp_log" || listed[0].ID != s.ID {
		t.Fatalf("listed: %+v", listed)
	}
	var out bytes.Buffer
	must(t, backups.RestoreDump(t.Context(), again, listed[0], &out))
	if out.String() != text {
		t.Errorf("the dump came back with %d bytes, had %d", out.Len(), len(text))
	}
}

func TestTheKeyIsNeeded(t *testing.T) {
	_, o := open(t)
	o.Password = "another"
	if _, err := kopia.Open(t.Context(), o); !errors.Is(err, backups.ErrPassword) {
		t.Errorf("opened with another password: %v", err)
	}
	o.Dir = filepath.Join(t.TempDir(), "nothing")
	if _, err := kopia.Open(t.Context(), o); !errors.Is(err, backups.ErrNotFound) {
		t.Errorf("opened where nothing is: %v", err)
	}
}

func TestChosenPathsAreRestoredAlone(t *testing.T) {
	r, _ := open(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	for _, name := range []string{"a/b/one", "a/b/two", "a/bc", "z"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
	}
	must(t, os.Link(filepath.Join(dir, "a/b/one"), filepath.Join(dir, "z-one")))
	must(t, os.Link(filepath.Join(dir, "a/b/one"), filepath.Join(dir, "z-two")))
	s := save(t, r, dir, nil)
	for _, c := range []struct{ asked, want []string }{
		{[]string{"a/b"}, []string{"a", "a/b", "a/b/one", "a/b/two"}},
		{[]string{"a/b/two", "z"}, []string{"a", "a/b", "a/b/two", "z"}},
		{[]string{"z-two", "z-one"}, []string{"z-one", "z-two"}},
	} {
		out := t.TempDir()
		must(t, backups.Restore(t.Context(), r, s, out, backups.RestoreOptions{Paths: c.asked}))
		var got []string
		must(t, filepath.WalkDir(out, func(p string, _ os.DirEntry, err error) error {
			if rel, _ := filepath.Rel(out, p); rel != "." {
				got = append(got, rel)
			}
			return err
		}))
		if !slices.Equal(got, c.want) {
			t.Errorf("asked for %v, got %v, want %v", c.asked, got, c.want)
		}
	}
}

// writing changes a file whenever it is read, as its owner may, until the save is over.
func writing(t *testing.T, path string, change func(f *os.File) error) func(backups.Progress) {
	t.Helper()
	return func(backups.Progress) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		must(t, err)
		must(t, errors.Join(change(f), f.Close()))
	}
}

func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(f *os.File) error
		missing int64
	}{
		"grows without end": {func(f *os.File) error {
			_, err := f.Seek(0, io.SeekEnd)
			return errors.Join(err, second(f.Write(bytes.Repeat([]byte("+"), 100_000))))
		}, 0},
		"is written over": {func(f *os.File) error { return second(f.WriteAt([]byte(time.Now().String()), 0)) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := open(t)
			dir := t.TempDir()
			file := filepath.Join(dir, "f")
			must(t, os.WriteFile(file, bytes.Repeat([]byte("0"), 300_000), 0o600))
			s, err := backups.Save(t.Context(), r, backups.Source{Dir: dir}, backups.Options{
				Subject: "site:s1", Now: time.Now, Progress: writing(t, file, c.change),
			})
			must(t, err)
			if s.MissingCount != c.missing || c.missing == 1 && s.Missing[0] != (backups.Missed{Path: "f", Why: "changing"}) {
				t.Errorf("missing: %d %v, want %d", s.MissingCount, s.Missing, c.missing)
			}
			got, err := os.ReadFile(filepath.Join(restore(t, r, s), "f"))
			if err != nil || len(got) < 300_000 {
				t.Errorf("restored %d bytes, %v", len(got), err)
			}
		})
	}
}

func second(_ int, err error) error { return err }

func TestAHugeFileThatIsNearlyAllHolesIsNamed(t *testing.T) {
	r, _ := open(t)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "huge"))
	must(t, err)
	must(t, errors.Join(f.Truncate(1<<40), f.Close()))
	s := save(t, r, dir, nil)
	if s.MissingCount != 1 || s.Missing[0].Why != "sparse" || s.ReadSize != 0 {
		t.Errorf("missing: %v, %d bytes read", s.Missing, s.ReadSize)
	}
}
