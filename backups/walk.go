package backups

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSparse is the size, in bytes, up to which a file may consist of holes: reading them costs time and stores nothing, and
// anybody can make a file of terabytes with one call.
const maxSparse = 64 << 30

// walked is an entry of a directory tree as lstat sees it, or the reason why there is none.
type walked struct {
	entry Entry
	links uint64 // hard links to it
	why   string // why it cannot be saved, see Missed
	// carried: its content is known from the previous snapshot.
	carried bool
	// torn: it was written while it was read, so that its bytes may be of several moments.
	torn bool
}

// walk yields what lies below root in the order of a manifest. The tree may change meanwhile, and its owner may be hostile:
// names are opened below root alone, and what has vanished since it was listed is left out.
func walk(ctx context.Context, root *os.Root, name string, yield func(walked) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && name != "." {
		return nil
	}
	if err != nil {
		if name == "." {
			return err
		}
		return yield(walked{entry: Entry{Path: Raw(name)}, why: "unreadable"})
	}
	w, err := describe(root, name, info)
	if err != nil {
		return err
	}
	if w.entry.Type != Directory {
		return yield(w)
	}
	children, err := list(root, name)
	if err != nil && (name == "." || errors.Is(err, fs.ErrNotExist)) {
		return ignoreVanished(err)
	}
	if err := yield(w); err != nil {
		return err
	}
	if err != nil {
		return yield(walked{entry: Entry{Path: Raw(name)}, why: "unreadable"})
	}
	for _, child := range children {
		if err := walk(ctx, root, path.Join(name, child), yield); err != nil {
			return err
		}
	}
	return nil
}

func ignoreVanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// list returns the sorted names in a directory.
func list(root *os.Root, name string) ([]string, error) {
	d, err := root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // only read
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// describe returns an entry without its content.
func describe(root *os.Root, name string, info fs.FileInfo) (walked, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return walked{}, errors.New("this system tells no inodes of files")
	}
	w := walked{links: uint64(st.Nlink), entry: Entry{ //nolint:unconvert // 32 bits on arm64
		Path: Raw(name), Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, ModTime: st.Mtim.Nano(), Inode: st.Ino, Change: st.Ctim.Nano(),
	}}
	switch info.Mode().Type() {
	case 0:
		w.entry.Type, w.entry.Size = File, st.Size
		if st.Size > maxSparse && st.Blocks*512 < st.Size/2 {
			w.why = "sparse"
		}
	case fs.ModeDir:
		w.entry.Type, w.links = Directory, 1
		w.entry.Xattrs = xattrsAt(root, name)
	case fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err != nil {
			w.why = "unreadable"
		}
		w.entry.Type, w.entry.Target = Symlink, Raw(target)
	default:
		w.why = "special"
	}
	return w, nil
}

// xattrsAt returns the extended attributes of a directory, nil when it cannot be opened.
func xattrsAt(root *os.Root, name string) map[string]Raw {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // only read
	return xattrs(f)
}

// xattrs returns the extended attributes of an open file, ACLs among them; nil when there are none.
func xattrs(f *os.File) map[string]Raw {
	fd := int(f.Fd())
	size, err := unix.Flistxattr(fd, nil)
	if err != nil || size == 0 {
		return nil
	}
	names := make([]byte, size)
	if size, err = unix.Flistxattr(fd, names); err != nil {
		return nil
	}
	out := map[string]Raw{}
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:size]), "\x00"), "\x00") {
		value := make([]byte, 64<<10) // the kernel's limit of one value
		if n, err := unix.Fgetxattr(fd, name, value); err == nil {
			out[name] = Raw(value[:n])
		}
	}
	return out
}

// comparePaths orders paths as walk yields them.
func comparePaths(a, b Raw) int {
	return cmp.Compare(walkKey(a), walkKey(b))
}

// walkKey turns separators into the lowest byte, which no name contains: then the order of strings is that of a walk.
func walkKey(p Raw) string {
	if p == "." {
		return ""
	}
	return strings.ReplaceAll(string(p), "/", "\x00")
}
