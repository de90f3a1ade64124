package kopia_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// names are those that have broken backups elsewhere.
var names = []string{
	"été", "e\u0301te\u0301", "a b", "line\nbreak", "\xff\xfe", "caf\xe9.txt", "-rf", "*", "\\", "'\"", ".hidden", "日本", "🎥",
	strings.Repeat("n", 255), "\t", "%41", "\\xff\\xfe", "CON", "trailing ", "a\x01b",
}

// grow makes a random tree in dir.
func grow(t *testing.T, r *rand.Rand, dir string, depth int) {
	t.Helper()
	var files []string
	for i := range 1 + r.IntN(6) {
		name := filepath.Join(dir, fmt.Sprintf("%d", i))
		if r.IntN(2) == 0 {
			name = filepath.Join(dir, names[r.IntN(len(names))])
		}
		if _, err := os.Lstat(name); err == nil {
			continue
		}
		switch kind := r.IntN(10); {
		case kind < 2 && depth < 4:
			must(t, os.Mkdir(name, 0o700))
			grow(t, r, name, depth+1)
		case kind == 2:
			must(t, os.Symlink([]string{"nowhere", "/etc/passwd", ".", "..", "\xff", strings.Repeat("l", 4000)}[r.IntN(6)], name))
		case kind == 3 && len(files) > 0:
			must(t, os.Link(files[r.IntN(len(files))], name))
			continue
		default:
			content(t, r, name)
			files = append(files, name)
		}
		dress(t, r, name)
	}
	dress(t, r, dir)
}

// content writes a file: empty, text, random, with holes.
func content(t *testing.T, r *rand.Rand, name string) {
	t.Helper()
	f, err := os.Create(name)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	size := []int{0, 1, 4096, 4097, 70_000, 300_000}[r.IntN(6)]
	p := make([]byte, size)
	switch r.IntN(3) {
	case 0:
		for i := range p {
			p[i] = byte(r.Uint32())
		}
	case 1:
		copy(p, strings.Repeat("les adhérents de l'association\n", size/32+1))
	case 2: // zeros, with something in between
		if size > 0 {
			p[r.IntN(size)] = 1
		}
	}
	_, err = f.Write(p)
	must(t, err)
	if r.IntN(8) == 0 {
		must(t, f.Truncate(int64(size)+5<<20)) // ends with a hole
	}
}

// dress gives an entry random metadata.
func dress(t *testing.T, r *rand.Rand, name string) {
	t.Helper()
	info, err := os.Lstat(name)
	must(t, err)
	must(t, os.Lchown(name, 200000+r.IntN(3), 200000+r.IntN(3)))
	if info.Mode().Type() != fs.ModeSymlink {
		if r.IntN(4) == 0 {
			must(t, unix.Setxattr(name, "user.note", []byte{0, 0xff, byte(r.Uint32())}, 0))
		}
		modes := []uint32{0o644, 0o600, 0o755, 0o000, 0o4755, 0o2770, 0o1777}
		must(t, syscall.Chmod(name, modes[r.IntN(len(modes))]))
	}
	at := unix.NsecToTimespec(r.Int64N(2e18))
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
}

// portrait returns a line for each entry below dir with everything that has to be the same after a restore. It is made
// without the package under test.
func portrait(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	first := map[uint64]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		line := fmt.Sprintf("%q mode=%o uid=%d gid=%d mtime=%d", rel, st.Mode, st.Uid, st.Gid, st.Mtim.Nano())
		switch d.Type() {
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			lines = append(lines, line+fmt.Sprintf(" -> %q", target))
			return err
		case 0:
			p, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" size=%d sum=%x", len(p), sha256.Sum256(p))
			if st.Nlink > 1 {
				if first[st.Ino] == "" {
					first[st.Ino] = rel
				}
				line += fmt.Sprintf(" same=%q", first[st.Ino])
			}
		}
		value := make([]byte, 100)
		if n, err := unix.Getxattr(path, "user.note", value); err == nil {
			line += fmt.Sprintf(" note=%x", value[:n])
		} else if !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
			return err
		}
		lines = append(lines, line)
		return nil
	}))
	slices.Sort(lines)
	return lines
}

// disturb changes a tree as people do between two backups: some files are new, some changed, some gone.
func disturb(t *testing.T, r *rand.Rand, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		switch r.IntN(8) {
		case 0:
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			if d.IsDir() {
				return fs.SkipDir
			}
		case 1:
			if d.Type() == 0 {
				content(t, r, path)
			}
		}
		return nil
	}))
	_ = os.WriteFile(filepath.Join(dir, "new"), []byte(time.Now().String()), 0o600) // may exist as a directory
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
