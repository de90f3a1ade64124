package setup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// unfinished begins the name of a file that is being written; one that is found was left by a killed run.
const unfinished = ".setup-"

// place is where a file or directory belongs and to whom.
type place struct {
	path     string
	mode     fs.FileMode // with fs.ModeSetgid where the group is to be inherited
	uid, gid int
}

// write makes the file's content, mode and owner what they should be, and reports whether they were not.
// A reader sees the old file or the new one.
func (p place) write(data []byte) (changed bool, err error) {
	old, err := os.ReadFile(p.path)
	if err == nil && bytes.Equal(old, data) {
		return p.settle()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, p.replace(data)
}

func (p place) replace(data []byte) (err error) {
	dir := filepath.Dir(p.path)
	tmp, err := os.CreateTemp(dir, unfinished+"*") // 0600 until it has its owner
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(tmp.Name())))
		}
	}()
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chown(p.uid, p.gid), tmp.Chmod(p.mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), p.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// directory makes it if needed, and clears away what a killed run left in it.
func (p place) directory() (changed bool, err error) {
	if err := os.Mkdir(p.path, 0o700); err == nil {
		changed = true
	} else if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	settled, err := p.settle()
	if err != nil {
		return changed, err
	}
	return changed || settled, sweep(p.path)
}

// settle corrects mode and owner. It never follows a link: a role that may write beside it must not steer us.
func (p place) settle() (changed bool, err error) {
	info, err := os.Lstat(p.path)
	if err != nil {
		return false, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return false, &fs.PathError{Op: "settle", Path: p.path, Err: syscall.ELOOP}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != p.uid || int(stat.Gid) != p.gid {
		if err := os.Lchown(p.path, p.uid, p.gid); err != nil {
			return false, err
		}
		changed = true
	}
	const bits = fs.ModePerm | fs.ModeSetgid | fs.ModeSetuid | fs.ModeSticky
	if !changed && info.Mode()&bits == p.mode {
		return false, nil
	}
	return true, os.Chmod(p.path, p.mode) // after the owner, whose change may clear the setgid bit
}

// sweep removes unfinished files.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), unfinished) || !e.Type().IsRegular() {
			continue
		}
		if err := ignoreMissing(os.Remove(filepath.Join(dir, e.Name()))); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
