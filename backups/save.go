package backups

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Names in the root of a snapshot.
const (
	filesName    = "files"
	databaseName = "database.sql"
	manifestName = "manifest.jsonl"
	snapshotName = "snapshot.json"
)

// maxHashAge is how long a file's hash is carried over at most, less up to a week, so that not all files of a site are read
// on the same day.
const maxHashAge = 28 * 24 * time.Hour

// racy is how much older than its reading a file's last change must be for the hash to be carried over: within one tick of
// the kernel's clock a file can change twice and show the same time.
const racy = 2 * time.Second

// Source is what is saved.
type Source struct {
	Dir  string // the site's directory; "": none
	Dump *DumpSource
}

// DumpSource is a database dump that is being written.
type DumpSource struct {
	// Reader yields the dump. It must end with an error, and not with io.EOF, when the program that writes it failed. The
	// other fields may be set until then.
	Reader io.Reader
	Engine string // "mariadb" or "postgresql"
	Locked []string
}

// Progress is how far a task has come.
type Progress struct {
	Files, Bytes int64
	TotalBytes   int64 // 0: unknown
}

// Options say how to save.
type Options struct {
	Subject, Reason string
	Details         map[string]string
	// Previous is the snapshot of the same subject whose hashes are carried over; nil: everything is read.
	Previous *Snapshot
	Now      func() time.Time
	// Progress is called from several goroutines, often; nil: nobody is told.
	Progress func(Progress)
}

// Save stores the source as a snapshot and lists it. Files that cannot be read are named in the snapshot; everything else
// that goes wrong is an error, and then no snapshot is listed.
func Save(ctx context.Context, repository Repository, source Source, o Options) (Snapshot, error) {
	s := Snapshot{Subject: o.Subject, Reason: o.Reason, Details: o.Details, TakenAt: o.Now().UTC()}
	err := repository.Write(ctx, func(ctx context.Context, w Writer) error {
		saver := saver{repository: repository, writer: w, options: o, snapshot: &s}
		root, err := saver.save(ctx, source)
		if err != nil {
			return err
		}
		s.ID, err = w.Save(ctx, s, root)
		return err
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("saving %s: %w", o.Subject, err)
	}
	return s, nil
}

type saver struct {
	repository Repository
	writer     Writer
	options    Options
	snapshot   *Snapshot
	previous   *cursor
	files      atomic.Int64
	bytes      atomic.Int64
	read       atomic.Int64
}

func (s *saver) save(ctx context.Context, source Source) (Node, error) {
	var nodes []Node
	if source.Dump != nil {
		// First: a table that refers to a file must not be older than the file.
		n, err := s.dump(ctx, source.Dump)
		if err != nil {
			return Node{}, err
		}
		nodes = append(nodes, n)
	}
	if source.Dir != "" {
		tree, manifest, err := s.tree(ctx, source.Dir)
		if err != nil {
			return Node{}, err
		}
		nodes = append(nodes, tree, manifest)
	}
	s.snapshot.Bytes, s.snapshot.ReadSize, s.snapshot.EndedAt = s.bytes.Load(), s.read.Load(), s.options.Now().UTC()
	text, err := json.MarshalIndent(s.snapshot, "", "  ")
	if err != nil {
		return Node{}, err
	}
	description, err := s.object(ctx, snapshotName, strings.NewReader(string(text)+"\n"))
	if err != nil {
		return Node{}, err
	}
	return s.writer.Directory(ctx, append(nodes, description))
}

// object stores one of the files in the root of a snapshot.
func (s *saver) object(ctx context.Context, name string, r io.Reader) (Node, error) {
	id, size, err := s.writer.Object(ctx, r)
	return Node{Name: name, Type: File, Mode: 0o600, ModTime: s.snapshot.TakenAt, Size: size, Object: id}, err
}

func (s *saver) dump(ctx context.Context, source *DumpSource) (Node, error) {
	hash, end := sha256.New(), &tail{}
	n, err := s.object(ctx, databaseName, io.TeeReader(source.Reader, io.MultiWriter(hash, end, &counter{s})))
	if err != nil {
		return n, fmt.Errorf("storing the database's dump: %w", err)
	}
	if !end.complete(source.Engine) {
		return n, fmt.Errorf("the database's dump ends after %d bytes without the line that ends a complete one: %w", n.Size, io.ErrUnexpectedEOF)
	}
	s.snapshot.Database = &Dump{
		Object: Object{ID: n.Object, Size: n.Size, SHA256: hex.EncodeToString(hash.Sum(nil))},
		Engine: source.Engine, Locked: source.Locked,
	}
	return n, nil
}

// counter reports bytes that were read.
type counter struct{ s *saver }

func (c *counter) Write(p []byte) (int, error) {
	c.s.bytes.Add(int64(len(p)))
	c.s.read.Add(int64(len(p)))
	c.s.report()
	return len(p), nil
}

func (s *saver) report() {
	if s.options.Progress == nil {
		return
	}
	p := Progress{Files: s.files.Load(), Bytes: s.bytes.Load()}
	if s.options.Previous != nil {
		p.TotalBytes = max(s.options.Previous.Bytes, p.Bytes)
	}
	s.options.Progress(p)
}

// pending is an entry whose content may still be on its way into the repository.
type pending struct {
	walked
	// further: a name of a file that was listed under another one already, and is read under that.
	further bool
	done    chan struct{}
	err     error
}

// window is how many entries may be on their way at a time.
const window = 64

// tree stores a directory and its manifest.
func (s *saver) tree(ctx context.Context, dir string) (tree, manifest Node, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return tree, manifest, err
	}
	defer func() { _ = root.Close() }() // only read
	if s.previous, err = openCursor(ctx, s.repository, s.options.Previous); err != nil {
		return tree, manifest, err
	}
	defer s.previous.close()

	queue := make(chan *pending, window)
	lines, text := io.Pipe()
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		defer close(queue)
		return s.readAll(ctx, root, queue)
	})
	work.Go(func() error {
		t := treeBuilder{saver: s, root: root, manifest: json.NewEncoder(text)}
		var err error
		tree, err = t.build(ctx, queue)
		_ = text.CloseWithError(err)
		return err
	})
	work.Go(func() error {
		hash := sha256.New()
		n, err := s.object(ctx, manifestName, io.TeeReader(lines, hash))
		_ = lines.CloseWithError(err)
		manifest = n
		s.snapshot.Manifest = Object{ID: n.Object, Size: n.Size, SHA256: hex.EncodeToString(hash.Sum(nil))}
		return err
	})
	err = work.Wait()
	return tree, manifest, err
}

// readAll walks the tree and stores what has changed, several files at a time, in order.
func (s *saver) readAll(ctx context.Context, root *os.Root, queue chan<- *pending) error {
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	err := s.list(ctx, root, queue, func(p *pending) {
		readers.Go(func() error {
			defer close(p.done)
			p.err = s.readFile(ctx, root, p)
			return p.err
		})
	})
	return errors.Join(readers.Wait(), err)
}

// list puts every entry of the tree into the queue, and calls read for those whose content is not known.
func (s *saver) list(ctx context.Context, root *os.Root, queue chan<- *pending, read func(*pending)) error {
	seen := map[uint64]bool{} // inodes of files with several names
	return walk(ctx, root, ".", func(w walked) error {
		p := &pending{walked: w, done: make(chan struct{})}
		select {
		case queue <- p:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if p.entry.Type == File && p.why == "" {
			p.carried = s.carryOver(&p.entry)
			p.further = !p.carried && p.links > 1 && seen[p.entry.Inode]
			seen[p.entry.Inode] = seen[p.entry.Inode] || p.links > 1
			if !p.carried && !p.further {
				read(p)
				return nil
			}
		}
		close(p.done)
		return nil
	})
}

// carryOver completes the entry from the previous snapshot, if the file is still the same and was read recently.
func (s *saver) carryOver(e *Entry) bool {
	p, ok := s.previous.find(e.Path)
	if !ok || p.Type != File || p.Object == "" || p.Inode != e.Inode || p.Size != e.Size || p.ModTime != e.ModTime || p.Change != e.Change {
		return false
	}
	if time.Unix(0, p.Change).After(p.ReadAt.Add(-racy)) || s.options.Now().Sub(p.ReadAt) > hashAge(e.Path) {
		return false
	}
	e.Object, e.SHA256, e.ReadAt, e.Xattrs = p.Object, p.SHA256, p.ReadAt, p.Xattrs // a changed attribute changes ctime
	return true
}

// hashAge is how long the hash of a path is carried over.
func hashAge(path Raw) time.Duration {
	h := fnv.New32a()
	_, _ = io.WriteString(h, string(path)) // never fails
	return maxHashAge - 7*24*time.Hour + time.Duration(h.Sum32()%(7*24*60))*time.Minute
}

// change is what became of a file while it was read.
type change int

const (
	unchanged change = iota
	grown            // bytes were added; those that were read are what they were
	rewritten
)

// readFile stores a file. One that changes while it is read is read a second time, and then taken as it is: up to the size
// that it had, and named where its bytes may be of several moments.
func (s *saver) readFile(ctx context.Context, root *os.Root, p *pending) error {
	var became change
	for range 2 {
		var err error
		if became, err = s.readOnce(ctx, root, p); err != nil || became == unchanged || p.why != "" {
			return err
		}
	}
	p.torn = became == rewritten
	return nil
}

func (s *saver) readOnce(ctx context.Context, root *os.Root, p *pending) (became change, err error) {
	f, err := root.OpenFile(string(p.entry.Path), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		p.why = vanished
		return unchanged, nil
	}
	if err != nil {
		p.why = "unreadable"
		return unchanged, nil
	}
	defer func() { _ = f.Close() }() // only read
	before, err := f.Stat()
	if err != nil || !before.Mode().IsRegular() {
		p.why = "unreadable"
		return unchanged, nil
	}
	w, err := describe(root, string(p.entry.Path), before)
	if err != nil {
		return unchanged, err
	}
	w.entry.Xattrs, w.entry.ReadAt = xattrs(f), s.options.Now().UTC()
	hash, source := sha256.New(), &failing{r: f}
	id, size, err := s.writer.Object(ctx, io.TeeReader(io.LimitReader(source, before.Size()), io.MultiWriter(hash, &counter{s})))
	if source.err != nil {
		p.why = "unreadable"
		return unchanged, nil
	}
	if err != nil {
		return unchanged, fmt.Errorf("storing %q: %w", p.entry.Path, err)
	}
	w.entry.Object, w.entry.Size, w.entry.SHA256 = id, size, hex.EncodeToString(hash.Sum(nil))
	p.entry, p.links = w.entry, w.links
	after, err := f.Stat()
	switch {
	case err != nil || after.Size() == size && after.ModTime().Equal(before.ModTime()):
		return unchanged, nil
	case after.Size() > before.Size() && size == before.Size():
		return grown, nil
	}
	return rewritten, nil
}

// vanished marks an entry that was removed between being listed and being read. It is not missing: it is gone.
const vanished = "vanished"

// failing remembers that it was the source that failed, and not the repository.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
