package setup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"chatiere/reverseproxy/atomicfile"
)

// entry is a file or directory of the data root: its path, mode and owner.
type entry struct {
	path     string
	mode     fs.FileMode // with fs.ModeSetgid where the group is to be inherited
	uid, gid int
}

// write makes the file's content, mode and owner what they should be, and reports whether they were not.
// A reader sees the old file or the new one.
func (p entry) write(data []byte) (changed bool, err error) {
	if err := p.removeUnfinished(); err != nil {
		return false, err
	}
	old, err := os.ReadFile(p.path)
	if err == nil && bytes.Equal(old, data) {
		return p.correct()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, atomicfile.WriteOwned(p.path, data, p.mode, p.uid, p.gid)
}

// directory makes it if needed.
func (p entry) directory() (changed bool, err error) {
	if err := os.Mkdir(p.path, 0o700); err == nil {
		changed = true
	} else if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	corrected, err := p.correct()
	if err != nil {
		return changed, err
	}
	return changed || corrected, nil
}

// correct sets mode and owner if they differ. It never follows a link: a role that may write beside it must not redirect us.
func (p entry) correct() (changed bool, err error) {
	info, err := os.Lstat(p.path)
	if err != nil {
		return false, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return false, &fs.PathError{Op: "correct", Path: p.path, Err: syscall.ELOOP}
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

// removeUnfinished removes temporary files that killed runs have left.
func (p entry) removeUnfinished() error {
	left, err := filepath.Glob(atomicfile.Unfinished(p.path))
	for _, path := range left {
		err = errors.Join(err, ignoreMissing(os.Remove(path)))
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
