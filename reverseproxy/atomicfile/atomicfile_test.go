package atomicfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/renameio/v2"

	"chatiere/reverseproxy/atomicfile"
)

func TestAFileIsReplacedWholeWithItsModeWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir, elsewhere, past := t.TempDir(), t.TempDir(), time.Unix(1, 0)
	t.Setenv("TMPDIR", elsewhere) // often in memory, so that nothing can be renamed from there
	if err := os.Chtimes(elsewhere, past, past); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file")
	for _, c := range []struct {
		text string
		mode fs.FileMode
	}{{"first", 0o600}, {"second, longer", 0o644}, {"3", 0o640}} {
		if err := atomicfile.Write(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || string(text) != c.text {
			t.Errorf("there is %q, %v", text, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != c.mode {
			t.Errorf("mode %v, want %v, %v", info.Mode(), c.mode, err)
		}
	}
	alone(t, dir, "file")
	if info, err := os.Stat(elsewhere); err != nil || !info.ModTime().Equal(past) {
		t.Errorf("files were made in TMPDIR, %v", err)
	}
}

func TestAFailedWriteLeavesTheOldFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, []byte("new"), 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	alone(t, dir, "file")
	if err := atomicfile.Write(filepath.Join(dir, "absent", "file"), nil, 0o600); err == nil {
		t.Error("a missing directory was written into")
	}
}

func TestAFileOfSomebodyElseIsTheirs(t *testing.T) {
	uid := os.Getuid()
	if uid == 0 { // nobody else may give files away
		uid = 1234
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := atomicfile.WriteOwned(path, nil, 0o640, uid, -1); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != uint32(uid) || stat.Gid != uint32(os.Getgid()) || info.Mode() != 0o640 {
		t.Errorf("owner %d:%d, mode %v", stat.Uid, stat.Gid, info.Mode())
	}
}

func TestWhatAKilledWriterLeftMatchesItsPattern(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir)) // never finished
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Cleanup() }()
	if err := os.WriteFile(filepath.Join(dir, ".a.json.bak"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.json", "*.json"} {
		found, err := filepath.Glob(atomicfile.Unfinished(filepath.Join(dir, name)))
		if err != nil || len(found) != 1 || found[0] != file.Name() {
			t.Errorf("%s: found %q, %v; want %s", name, found, err, file.Name())
		}
	}
}

func alone(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("there are %v, %v", entries, err)
	}
}
