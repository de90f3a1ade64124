package spoolfile_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"chatiere/reverseproxy/spoolfile"
)

func TestOnlyRegularFilesOfTheAgreedSizeAreRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(at("file"), []byte("12345"), 0o600))
	must(os.WriteFile(at("large"), []byte("123456"), 0o600))
	must(os.Symlink(at("file"), at("link")))
	must(unix.Mkfifo(at("pipe"), 0o600)) // nobody writes: a reader would wait for ever
	must(os.Mkdir(at("directory"), 0o700))
	l, err := net.Listen("unix", at("socket"))
	must(err)
	defer func() { _ = l.Close() }()

	format := spoolfile.Format[int]{MaxFile: 5, MaxLine: 10, Valid: func(int) bool { return true }}
	if v, err := format.ReadFile(at("file")); err != nil || len(v) != 1 || v[0] != 12345 {
		t.Errorf("file: %v, %v", v, err)
	}
	for _, name := range []string{"large", "link", "pipe", "directory", "socket"} {
		if v, err := format.ReadFile(at(name)); !errors.Is(err, spoolfile.ErrDamaged) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	if _, err := format.ReadFile(at("nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}
