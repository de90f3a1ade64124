package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"chatiere/tenants/diskguard"
)

const (
	// chunk is how many names are read at a time: a directory may hold millions.
	chunk = 512
	// maxDepth bounds the open directories. Trees may be made much deeper than any program needs them.
	maxDepth = 200
)

// errTooDeep: more branches of the tree are deeper than maxDepth than are walked.
var errTooDeep = errors.New("too many directories are nested too deep")

// openAt opens a directory below another; never through a link, never anything that could block.
func openAt(parent *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(parent.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// inode names a file apart from its names.
type inode struct{ dev, ino uint64 }

// maxDeep bounds the branches that are kept for later because they are too deep.
const maxDeep = 64

// measure adds up what a tree takes on the disk.
type measure struct {
	dev   uint64
	deep  []*os.File // directories at maxDepth, to be walked from there
	bytes int64
	files int64

	parts, partBytes float64 // of files with several names
}

// tree counts everything below top, however deep: who hides bytes at the end of a long branch is counted as well.
func (m *measure) tree(ctx context.Context, top *os.File) error {
	defer func() {
		for _, dir := range m.deep {
			_ = dir.Close()
		}
	}()
	err := m.walk(ctx, top, 0)
	for err == nil && len(m.deep) > 0 {
		last := len(m.deep) - 1
		dir := m.deep[last]
		m.deep = m.deep[:last]
		err = m.walk(ctx, dir, 0)
		_ = dir.Close()
	}
	return err
}

// deferDir keeps a directory that is too deep, to be walked from there.
func (m *measure) deferDir(parent *os.File, name string) error {
	if len(m.deep) >= maxDeep {
		return errTooDeep
	}
	dir, err := openAt(parent, name)
	if err == nil {
		m.deep = append(m.deep, dir)
	}
	return err
}

// count adds one name. A file with several has a part of it counted for each, so that all of them make one: to remember
// which files were seen would take memory for each, and a site can make millions.
func (m *measure) count(stat unix.Stat_t) {
	bytes := stat.Blocks * 512 // the unit of st_blocks, whatever the file system's
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR && stat.Nlink > 1 {
		m.parts += 1 / float64(stat.Nlink)
		m.partBytes += float64(bytes) / float64(stat.Nlink)
		return
	}
	m.files++
	m.bytes += bytes
}

// sum returns what was counted.
func (m *measure) sum() diskguard.Usage {
	return diskguard.Usage{Bytes: m.bytes + int64(math.Round(m.partBytes)), Files: m.files + int64(math.Round(m.parts))}
}

// walk counts everything below dir, on the same file system. What disappears meanwhile is left out.
func (m *measure) walk(ctx context.Context, dir *os.File, depth int) error {
	return eachEntry(ctx, dir, func(name string) error {
		var stat unix.Stat_t
		err := unix.Fstatat(int(dir.Fd()), name, &stat, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %q: %w", name, err)
		}
		if stat.Dev != m.dev {
			return nil
		}
		m.count(stat)
		if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
			return nil
		}
		err = m.descend(ctx, dir, name, depth)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			return nil // replaced meanwhile
		}
		return err
	})
}

func (m *measure) descend(ctx context.Context, dir *os.File, name string, depth int) error {
	if depth >= maxDepth {
		return m.deferDir(dir, name)
	}
	child, err := openAt(dir, name)
	if err != nil {
		return err
	}
	defer func() { _ = child.Close() }()
	return m.walk(ctx, child, depth+1)
}

// eachEntry calls fn for each entry of dir, a chunk at a time.
func eachEntry(ctx context.Context, dir *os.File, fn func(name string) error) error {
	for {
		names, err := dir.Readdirnames(chunk)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(name); err != nil {
				return err
			}
		}
	}
}

// remover empties a directory.
type remover struct {
	top    *os.File // where branches that are too deep are moved to
	lifted int
}

// removeTree removes parent/name and everything below it; absent is success.
func removeTree(ctx context.Context, parent *os.File, name string) error {
	top, err := openAt(parent, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP): // a file or a link has the name
		return unlink(parent, name, 0)
	case err != nil:
		return err
	}
	defer func() { _ = top.Close() }()
	r := &remover{top: top}
	if err := r.empty(ctx, top, 0); err != nil {
		return err
	}
	return unlink(parent, name, unix.AT_REMOVEDIR)
}

// empty removes everything in dir, round by round: reading a directory while its entries go may skip some. A directory
// at maxDepth is moved to the top instead, where the next round finds it.
func (r *remover) empty(ctx context.Context, dir *os.File, depth int) error {
	for {
		if _, err := dir.Seek(0, io.SeekStart); err != nil {
			return err
		}
		found := 0
		err := eachEntry(ctx, dir, func(name string) error {
			found++
			return r.remove(ctx, dir, name, depth)
		})
		if err != nil || found == 0 {
			return err
		}
	}
}

func (r *remover) remove(ctx context.Context, dir *os.File, name string, depth int) error {
	child, err := openAt(dir, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return unlink(dir, name, 0)
	case err != nil:
		return err
	}
	defer func() { _ = child.Close() }()
	if depth >= maxDepth {
		return r.lift(dir, name)
	}
	if err := r.empty(ctx, child, depth+1); err != nil {
		return err
	}
	return unlink(dir, name, unix.AT_REMOVEDIR)
}

func (r *remover) lift(dir *os.File, name string) error {
	for {
		r.lifted++
		to := fmt.Sprintf(".lifted-%d", r.lifted)
		err := unix.Renameat2(int(dir.Fd()), name, int(r.top.Fd()), to, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			continue // a removal that was broken off has left one
		}
		if err != nil {
			return &os.PathError{Op: "rename", Path: name, Err: err}
		}
		return nil
	}
}

func unlink(dir *os.File, name string, flags int) error {
	err := unix.Unlinkat(int(dir.Fd()), name, flags)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}
