// Package kopia is a [backups.Repository] in Kopia's format, which the stock program kopia opens too. Nothing else imports
// Kopia.
//
// Kopia's uploader is not used, only its repository below: the uploader stores a stream that fails half-way without an
// error, follows changes by size and time alone, keeps no hard links and attributes, and cannot hold names that are no UTF-8.
package kopia

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"chatiere/backups"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/filesystem"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"
)

// A snapshot belongs to its subject and not to a machine, so these never change: the history of a site is one history
// whatever the name of the host or the container.
const (
	userName = "chatiere"
	hostName = "chatiere"
)

// compressor is zstd at its fastest level: dumps and pages shrink, pictures cost little.
const compressor = "zstd-fastest"

// Options say which repository is opened.
type Options struct {
	Dir      string // of the repository's blobs
	Password string
}

// Repository is an open repository.
type Repository struct {
	repo repo.DirectRepository
}

// Create makes an empty repository; one that exists already with this password is success.
func Create(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	st, err := storage(ctx, o.Dir, true)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close(ctx) }() // nothing is buffered
	if err := repo.Initialize(ctx, st, &repo.NewRepositoryOptions{}, o.Password); err != nil && !errors.Is(err, repo.ErrAlreadyInitialized) {
		return fmt.Errorf("making the repository: %w", err)
	}
	r, err := Open(ctx, o)
	if err != nil {
		return err
	}
	if !r.owned(ctx) {
		err = r.own(ctx)
	}
	return errors.Join(err, r.Close(ctx))
}

func storage(ctx context.Context, dir string, create bool) (blob.Storage, error) {
	st, err := filesystem.New(ctx, &filesystem.Options{Path: dir, FileMode: 0o600, DirectoryMode: 0o700}, create)
	if err != nil {
		return nil, fmt.Errorf("opening the repository's directory: %w", err)
	}
	return st, nil
}

// Open opens a repository, without a cache, which would hide what becomes of its storage. It answers [backups.ErrNotFound] where there is none and [backups.ErrPassword] for another key.
func Open(ctx context.Context, o Options) (*Repository, error) {
	st, err := storage(ctx, o.Dir, false)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", o.Dir, backups.ErrNotFound)
		}
		return nil, err
	}
	defer func() { _ = st.Close(ctx) }() // the open repository has its own
	file, err := configuration(o.Dir)
	if err != nil {
		return nil, err
	}
	options := &repo.ConnectOptions{ClientOptions: repo.ClientOptions{Hostname: hostName, Username: userName}}
	if err := repo.Connect(ctx, file, st, o.Password, options); err != nil {
		return nil, opening(o.Dir, err)
	}
	r, err := repo.Open(ctx, file, o.Password, &repo.Options{DisableRepositoryLog: true})
	if err != nil {
		return nil, opening(o.Dir, err)
	}
	direct, ok := r.(repo.DirectRepository)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is no local repository", o.Dir), r.Close(ctx))
	}
	return &Repository{repo: direct}, nil
}

// configuration is the file in which Kopia wants to find where a repository is; beside it is the lock by which maintenance
// excludes itself. The same for every process that opens the repository, so that one that is killed leaves nothing over.
func configuration(dir string) (string, error) {
	name := sha256.Sum256([]byte(dir))
	at := filepath.Join(os.TempDir(), fmt.Sprintf("chatiere-kopia-%d-%x", os.Geteuid(), name[:8]))
	return filepath.Join(at, "repository.config"), os.MkdirAll(at, 0o700)
}

func opening(dir string, err error) error {
	switch {
	case errors.Is(err, repo.ErrInvalidPassword):
		err = backups.ErrPassword
	case errors.Is(err, repo.ErrRepositoryNotInitialized):
		err = backups.ErrNotFound
	}
	return fmt.Errorf("opening the repository %s: %w", dir, err)
}

// Close releases the repository.
func (r *Repository) Close(ctx context.Context) error {
	return r.repo.Close(ctx)
}

// own makes this program the one that maintains the repository.
func (r *Repository) own(ctx context.Context) error {
	return repo.DirectWriteSession(ctx, r.repo, repo.WriteSessionOptions{Purpose: "set the owner of maintenance"},
		func(ctx context.Context, w repo.DirectRepositoryWriter) error {
			p := maintenance.DefaultParams()
			p.Owner = r.repo.ClientOptions().UsernameAtHost()
			return maintenance.SetParams(ctx, w, &p)
		})
}

// owned reports whether this program maintains the repository already.
func (r *Repository) owned(ctx context.Context) bool {
	p, err := maintenance.GetParams(ctx, r.repo)
	return err == nil && p.Owner == r.repo.ClientOptions().UsernameAtHost()
}

// Snapshots implements [backups.Repository]. What somebody else saved in the repository, as the stock program does, is left
// out.
func (r *Repository) Snapshots(ctx context.Context) ([]backups.Snapshot, error) {
	ids, err := snapshot.ListSnapshotManifests(ctx, r.repo, nil, nil)
	if err != nil {
		return nil, damaged(err)
	}
	manifests, err := snapshot.LoadSnapshots(ctx, r.repo, ids)
	if err != nil {
		return nil, damaged(err)
	}
	out := make([]backups.Snapshot, 0, len(manifests))
	for _, m := range manifests {
		var s backups.Snapshot
		if json.Unmarshal([]byte(m.Description), &s) != nil || m.Source != source(s.Subject) {
			continue
		}
		s.ID, s.Pinned = string(m.ID), len(m.Pins) > 0
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b backups.Snapshot) int { return a.TakenAt.Compare(b.TakenAt) })
	return out, nil
}

// source is whose history a snapshot belongs to.
func source(subject string) snapshot.SourceInfo {
	return snapshot.SourceInfo{Host: hostName, UserName: userName, Path: "/" + subject}
}

// Open implements [backups.Repository].
func (r *Repository) Open(ctx context.Context, id string) (io.ReadCloser, error) {
	oid, err := object.ParseID(id)
	if err != nil {
		return nil, fmt.Errorf("%q is no object: %w", id, backups.ErrNotFound)
	}
	reader, err := r.repo.OpenObject(ctx, oid)
	if err != nil {
		return nil, damaged(err)
	}
	return &checkedReader{reader}, nil
}

// checkedReader gives errors of the repository their class.
type checkedReader struct{ object.Reader }

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(err)
	}
	return n, err
}

// damaged tells a repository that lacks bytes, or has others, from a disk that does not answer and a process that is short of
// something: those may pass.
func damaged(err error) error {
	var system syscall.Errno
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &system) && system != syscall.ENOENT {
		return err
	}
	return fmt.Errorf("%w: %w", backups.ErrDamaged, err)
}

// Write implements [backups.Repository].
func (r *Repository) Write(ctx context.Context, fn func(context.Context, backups.Writer) error) error {
	return repo.WriteSession(ctx, r.repo, repo.WriteSessionOptions{Purpose: "snapshot"},
		func(ctx context.Context, w repo.RepositoryWriter) error { return fn(ctx, writer{w}) })
}

// Maintain implements [backups.Repository].
func (r *Repository) Maintain(ctx context.Context) error {
	return repo.DirectWriteSession(ctx, r.repo, repo.WriteSessionOptions{Purpose: "maintenance"},
		func(ctx context.Context, w repo.DirectRepositoryWriter) error {
			return snapshotmaintenance.Run(ctx, w, maintenance.ModeFull, false, maintenance.SafetyFull)
		})
}

type writer struct{ repo.RepositoryWriter }

// Object implements [backups.Writer].
func (w writer) Object(ctx context.Context, r io.Reader) (id string, size int64, err error) {
	o := w.NewObjectWriter(ctx, object.WriterOptions{Compressor: compressor, MetadataCompressor: compressor, AsyncWrites: 1})
	defer func() { _ = o.Close() }() // frees buffers
	if size, err = io.Copy(o, r); err != nil {
		return "", size, err
	}
	oid, err := o.Result()
	return oid.String(), size, err
}

// Directory implements [backups.Writer].
func (w writer) Directory(ctx context.Context, entries []backups.Node) (backups.Node, error) {
	var b snapshotfs.DirManifestBuilder
	for _, n := range entries {
		e, err := entry(n)
		if err != nil {
			return backups.Node{}, err
		}
		b.AddEntry(e)
	}
	m := b.Build(fs.UTCTimestampFromTime(time.Unix(0, 0)), "")
	oid, err := snapshotfs.WriteDirManifest(ctx, w.RepositoryWriter, "", m, compressor)
	node := backups.Node{
		Type: backups.Directory, Mode: 0o700, Object: oid.String(), Size: m.Summary.TotalFileSize,
		Files: m.Summary.TotalFileCount + m.Summary.TotalSymlinkCount,
	}
	return node.WithSummary(m.Summary), err
}

var entryTypes = map[backups.Type]snapshot.EntryType{
	backups.File: snapshot.EntryTypeFile, backups.Directory: snapshot.EntryTypeDirectory, backups.Symlink: snapshot.EntryTypeSymlink,
}

func entry(n backups.Node) (*snapshot.DirEntry, error) {
	oid, err := object.ParseID(n.Object)
	if err != nil {
		return nil, fmt.Errorf("%q has the object %q: %w", n.Name, n.Object, err)
	}
	e := &snapshot.DirEntry{
		Name: n.Name, Type: entryTypes[n.Type], Permissions: snapshot.Permissions(n.Mode & 0o777), FileSize: n.Size, UserID: n.UID, GroupID: n.GID,
		ModTime: fs.UTCTimestampFromTime(n.ModTime), ObjectID: oid,
	}
	if n.Type == backups.Directory {
		e.FileSize = 0
		e.DirSummary, _ = n.Summary().(*fs.DirectorySummary)
	}
	return e, nil
}

// Save implements [backups.Writer]. The description has the snapshot in JSON, so that a list needs no further reads.
func (w writer) Save(ctx context.Context, s backups.Snapshot, root backups.Node) (string, error) {
	root.Name = strings.ReplaceAll(s.Subject, "/", "-")
	e, err := entry(root)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	id, err := snapshot.SaveSnapshot(ctx, w, &snapshot.Manifest{
		Source:      source(s.Subject),
		Description: string(text), StartTime: fs.UTCTimestampFromTime(s.TakenAt), EndTime: fs.UTCTimestampFromTime(s.EndedAt), RootEntry: e,
	})
	return string(id), err
}

// Delete implements [backups.Writer].
func (w writer) Delete(ctx context.Context, id string) error {
	return notFound(id, w.DeleteManifest(ctx, manifest.ID(id)))
}

// pin is the name under which a volunteer or member keeps a snapshot.
const pin = "kept"

// Pin implements [backups.Writer].
func (w writer) Pin(ctx context.Context, id string, pinned bool) (string, error) {
	m, err := snapshot.LoadSnapshot(ctx, w, manifest.ID(id))
	if err != nil {
		return "", notFound(id, err)
	}
	add, remove := []string{pin}, []string(nil)
	if !pinned {
		add, remove = nil, add
	}
	if !m.UpdatePins(add, remove) {
		return id, nil
	}
	err = snapshot.UpdateSnapshot(ctx, w, m)
	return string(m.ID), err
}

func notFound(id string, err error) error {
	if errors.Is(err, manifest.ErrNotFound) || errors.Is(err, snapshot.ErrSnapshotNotFound) {
		return fmt.Errorf("snapshot %s: %w", id, backups.ErrNotFound)
	}
	return err
}
