package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
)

// The engine follows links on its way to what it mounts into a container. A directory of a site's data that is mounted by
// itself must therefore lie on a path on which the site can replace nothing: each directory on it is root's, open to the
// site's group and sticky, so that the site makes and removes its own files there and cannot rename the next directory.

// parentDir is a directory above one that is mounted by itself.
func parentDir(s tenants.Site, name string) dirSpec {
	return dirSpec{name, 0, s.UID, 0o770 | fs.ModeSticky}
}

// mountDirs are the directories below a site's data that are mounted by themselves, and those on the way there, parents
// first.
func mountDirs(s tenants.Site) []dirSpec {
	var places []dirSpec
	for _, bound := range s.Release.Places {
		parts := strings.Split(bound, "/")
		for i := range parts {
			p := parentDir(s, path.Join(append([]string{dataOf(s)}, parts[:i+1]...)...))
			if i == len(parts)-1 {
				p.mode = 0o770
			}
			if !slices.Contains(places, p) {
				places = append(places, p)
			}
		}
	}
	return places
}

// ensureMountDirs makes those directories, or makes existing ones safe. It never makes the data themselves: empty ones in the
// place of lost ones would hide the loss.
func ensureMountDirs(root *os.Root, s tenants.Site) error {
	if len(s.Release.Places) == 0 {
		return nil
	}
	data, err := openDir(root, dataOf(s))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("making directories in the data of site %s: %w", s.ID, tenants.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("opening the data of site %s: %w", s.ID, err)
	}
	defer func() { _ = data.Close() }()
	if err := parentDir(s, "").setOwner(data); err != nil {
		return full("making the data of site "+s.ID+" safe", err)
	}
	for _, p := range mountDirs(s) {
		if err := p.ensureBelow(data, strings.TrimPrefix(p.path, dataOf(s)+"/")); err != nil {
			return full("making "+p.path, err)
		}
	}
	return nil
}

// errReplaced means that a site renamed a directory while it was made safe.
var errReplaced = errors.New("replaced meanwhile")

// ensureBelow makes a directory below the open data, whose parents are safe already, or makes an existing one safe.
func (p dirSpec) ensureBelow(data *os.File, rel string) error {
	parent, err := unix.Dup(int(data.Fd()))
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(parent) }()
	parts := strings.Split(rel, "/")
	for _, part := range parts[:len(parts)-1] {
		next, err := unix.Openat(parent, part, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		_ = unix.Close(parent)
		parent = next
	}
	name := parts[len(parts)-1]
	if err := unix.Mkdirat(parent, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), p.path)
	defer func() { _ = dir.Close() }()
	if err := p.setOwner(dir); err != nil {
		return err
	}
	var given, there unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &given), unix.Fstatat(parent, name, &there, unix.AT_SYMLINK_NOFOLLOW)); err != nil {
		return err
	}
	if given.Ino != there.Ino || given.Dev != there.Dev {
		return errReplaced
	}
	return nil
}

// setOwner sets owner and mode of an open directory.
func (p dirSpec) setOwner(dir *os.File) error {
	if err := dir.Chown(p.uid, p.gid); err != nil {
		return err
	}
	if err := dir.Chmod(p.mode); err != nil { // after chown, which takes the set-group bit away
		return err
	}
	return dir.Sync()
}

func group(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Gid)
	}
	return -1
}
