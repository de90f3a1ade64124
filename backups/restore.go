package backups

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// RestoreOptions say what is restored.
type RestoreOptions struct {
	// Paths restores these alone, with all below them and the directories above; empty: everything.
	Paths    []string
	Progress func(Progress) // as in [Options]
}

// Restore writes the files of a snapshot into dir, which must exist and be empty, with owners, modes, times, attributes and
// hard links. Every byte is compared with its hash before it is left in place: an object that is not what was saved is
// [ErrDamaged], and what was restored so far has to be removed by the caller.
func Restore(ctx context.Context, repository Repository, s Snapshot, dir string, o RestoreOptions) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // files are synced one by one
	r := restorer{repository: repository, root: root, options: o, total: s.Bytes}
	if err := r.restore(ctx, s.Manifest); err != nil {
		return fmt.Errorf("restoring the snapshot of %s: %w", s.TakenAt.Format(time.RFC3339), err)
	}
	return nil
}

type restorer struct {
	repository   Repository
	root         *os.Root
	options      RestoreOptions
	total        int64
	files, bytes atomic.Int64
}

func (r *restorer) restore(ctx context.Context, manifest Object) error {
	var directories, links []Entry
	written, inner := errgroup.WithContext(ctx)
	written.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	err := eachEntry(inner, r.repository, manifest, func(e Entry) error {
		if !r.wanted(e.Path) {
			return nil
		}
		switch {
		case e.Type == Directory:
			directories = append(directories, e)
			return r.mkdir(e)
		case e.Type == Symlink:
			return r.symlink(e)
		case e.HardTo != "":
			links = append(links, e)
			return nil
		}
		written.Go(func() error { return r.file(inner, e) })
		return nil
	})
	if err := errors.Join(written.Wait(), err); err != nil {
		return err
	}
	if err := r.hardLinks(ctx, manifest, links); err != nil {
		return err
	}
	for _, e := range slices.Backward(directories) { // their times change while something is made in them
		if err := r.finishDirectory(e); err != nil {
			return err
		}
	}
	d, err := r.root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // nothing is written to it
	return unix.Syncfs(int(d.Fd()))
}

// eachEntry calls fn with every entry of a manifest, whose own hash is compared too.
func eachEntry(ctx context.Context, repository Repository, manifest Object, fn func(Entry) error) error {
	stored, err := repository.Open(ctx, manifest.ID)
	if err != nil {
		return err
	}
	defer func() { _ = stored.Close() }() // only read
	sum := sha256.New()
	lines := NewManifestReader(io.TeeReader(stored, sum))
	for {
		e, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return compareSum(sum, manifest.SHA256, "its manifest")
}

func compareSum(sum hash.Hash, want, what string) error {
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%w: %s has the hash %.12s, was saved with %.12s", ErrDamaged, what, got, want)
	}
	return nil
}

// wanted reports whether a path is, lies below, or leads to one that was asked for.
func (r *restorer) wanted(p Raw) bool {
	if len(r.options.Paths) == 0 || p == "." {
		return true
	}
	return slices.ContainsFunc(r.options.Paths, func(want string) bool {
		want = path.Clean(want)
		return want == "." || string(p) == want || strings.HasPrefix(string(p), want+"/") || strings.HasPrefix(want, string(p)+"/")
	})
}

func (r *restorer) mkdir(e Entry) error {
	if e.Path == "." {
		return nil
	}
	return r.root.Mkdir(string(e.Path), 0o700)
}

func (r *restorer) symlink(e Entry) error {
	if err := r.root.Symlink(string(e.Target), string(e.Path)); err != nil {
		return err
	}
	if err := r.root.Lchown(string(e.Path), int(e.UID), int(e.GID)); err != nil {
		return err
	}
	parent, err := r.root.Open(path.Dir(string(e.Path)))
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }() // nothing is written to it
	r.count(0)
	return unix.UtimesNanoAt(int(parent.Fd()), path.Base(string(e.Path)), times(e), unix.AT_SYMLINK_NOFOLLOW)
}

// times returns access and modification time.
func times(e Entry) []unix.Timespec {
	t := unix.NsecToTimespec(e.ModTime)
	return []unix.Timespec{t, t}
}

func (r *restorer) file(ctx context.Context, e Entry) error {
	f, err := r.root.OpenFile(string(e.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(r.fill(ctx, f, e), f.Close()); err != nil {
		return fmt.Errorf("%q: %w", e.Path, err)
	}
	r.count(e.Size)
	return nil
}

func (r *restorer) fill(ctx context.Context, f *os.File, e Entry) error {
	stored, err := r.repository.Open(ctx, e.Object)
	if err != nil {
		return err
	}
	defer func() { _ = stored.Close() }() // only read
	sum := sha256.New()
	if _, err := io.Copy(&sparse{f: f}, io.TeeReader(stored, sum)); err != nil {
		return err
	}
	if err := compareSum(sum, e.SHA256, "the file"); err != nil {
		return err
	}
	if err := f.Truncate(e.Size); err != nil { // a file may end with a hole
		return err
	}
	if err := r.describe(f, e); err != nil {
		return err
	}
	return setTimes(f, e)
}

// setTimes sets the times of an open file or directory, to the nanosecond.
func setTimes(f *os.File, e Entry) error {
	return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), times(e), 0)
}

// describe sets what a file or directory has beside its content. The owner comes first: changing it takes setuid away.
func (r *restorer) describe(f *os.File, e Entry) error {
	if err := f.Chown(int(e.UID), int(e.GID)); err != nil {
		return err
	}
	for name, value := range e.Xattrs {
		if err := unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0); err != nil {
			return fmt.Errorf("setting the attribute %s: %w", name, err)
		}
	}
	return unix.Fchmod(int(f.Fd()), e.Mode)
}

// hardLinks makes the further names of files. Where the first name was not asked for, the next one becomes the file.
func (r *restorer) hardLinks(ctx context.Context, manifest Object, links []Entry) error {
	first := map[Raw]Raw{}
	for _, e := range links {
		if !r.wanted(e.HardTo) {
			first[e.HardTo] = ""
		}
	}
	if len(first) == 0 {
		return r.link(links, first)
	}
	contents := map[Raw]Entry{}
	err := eachEntry(ctx, r.repository, manifest, func(e Entry) error {
		if _, asked := first[e.Path]; asked {
			contents[e.Path] = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	rest := links[:0]
	for _, e := range links {
		if name, asked := first[e.HardTo]; !asked || name != "" {
			rest = append(rest, e)
			continue
		}
		first[e.HardTo] = e.Path
		content := contents[e.HardTo]
		content.Path = e.Path
		if err := r.file(ctx, content); err != nil {
			return err
		}
	}
	return r.link(rest, first)
}

// link makes hard links; replaced has the names that stand in for a link's first.
func (r *restorer) link(links []Entry, replaced map[Raw]Raw) error {
	for _, e := range links {
		to := e.HardTo
		if name := replaced[to]; name != "" {
			to = name
		}
		if err := r.root.Link(string(to), string(e.Path)); err != nil {
			return err
		}
		r.count(0)
	}
	return nil
}

func (r *restorer) finishDirectory(e Entry) error {
	d, err := r.root.OpenFile(string(e.Path), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // nothing is written to it
	if err := r.describe(d, e); err != nil {
		return err
	}
	return setTimes(d, e)
}

func (r *restorer) count(bytes int64) {
	p := Progress{Files: r.files.Add(1), Bytes: r.bytes.Add(bytes), TotalBytes: r.total}
	if r.options.Progress != nil {
		r.options.Progress(p)
	}
}

// sparse writes to a file and leaves out blocks of zeros.
type sparse struct{ f *os.File }

const blockSize = 4096

var zeros [blockSize]byte

func (s *sparse) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), blockSize)
		var err error
		if n == blockSize && bytes.Equal(p[:n], zeros[:]) {
			_, err = s.f.Seek(blockSize, io.SeekCurrent)
		} else {
			n = dataRun(p)
			_, err = s.f.Write(p[:n])
		}
		if err != nil {
			return written, err
		}
		written += n
		p = p[n:]
	}
	return written, nil
}

// dataRun returns how many bytes come before the next block of zeros.
func dataRun(p []byte) int {
	n := min(len(p), blockSize)
	for n+blockSize <= len(p) && !bytes.Equal(p[n:n+blockSize], zeros[:]) {
		n += blockSize
	}
	if n+blockSize > len(p) {
		return len(p)
	}
	return n
}

// RestoreDump writes the database dump of a snapshot to w. The bytes are compared with their hash while they pass, so that
// an error may come after w has all of them: only what ends without an error may be used.
func RestoreDump(ctx context.Context, repository Repository, s Snapshot, w io.Writer) error {
	if s.Database == nil {
		return fmt.Errorf("the snapshot of %s has no database: %w", s.TakenAt.Format(time.RFC3339), ErrNotFound)
	}
	stored, err := repository.Open(ctx, s.Database.ID)
	if err != nil {
		return err
	}
	defer func() { _ = stored.Close() }() // only read
	sum := sha256.New()
	if _, err := io.Copy(w, io.TeeReader(stored, sum)); err != nil {
		return fmt.Errorf("restoring the database's dump: %w", err)
	}
	return compareSum(sum, s.Database.SHA256, "the database's dump")
}
