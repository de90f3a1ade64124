// Package sites saves and restores the data of sites: it brings together where a site's files and database are, the
// repository of its association, and the process that works on it.
package sites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"chatiere/backups"
	"chatiere/backups/process"
	"chatiere/tenants"
	"chatiere/tenants/provision"

	"golang.org/x/sync/errgroup"
)

// Details of a snapshot, as stored in it.
const (
	detailOperation = "operation"
	detailTemplate  = "template"
	detailVersion   = "version"
)

// Databases dumps and imports databases of sites.
type Databases interface {
	Dump(ctx context.Context, database string, w io.Writer) (locked []string, err error)
	Import(ctx context.Context, database, password string, r io.Reader) error
}

// Backups implements [provision.Backups].
type Backups struct {
	Repositories string // directory of the repositories
	Sites        string // directory of the sites
	// Key returns the master key, see [backups.Password].
	Key       func() (string, error)
	Databases Databases
	Nightly   process.Runner // of work that nobody waits for
	Waiting   process.Runner // of work that a person waits for
	Retention backups.Retention
	Zone      *time.Location

	expiring sync.Mutex // one at a time, which is what a repository's maintenance wants
}

var _ provision.Backups = (*Backups)(nil)

// Save implements [provision.Backups].
func (b *Backups) Save(ctx context.Context, s tenants.Site, reason tenants.SnapshotReason, operationID string, progress provision.BytesFunc) (tenants.Snapshot, error) {
	place, err := b.place(s.AssociationID)
	if err != nil {
		return tenants.Snapshot{}, err
	}
	runner := b.Waiting
	if reason == tenants.SnapshotDaily {
		runner = b.Nightly
	}
	all, err := runner.List(ctx, place)
	if err != nil {
		return tenants.Snapshot{}, classified(err)
	}
	for _, x := range all {
		if x.Details[detailOperation] == operationID {
			return converted(x, s.AssociationID), nil
		}
	}
	request := process.SaveRequest{
		Dir: b.data(s), Subject: subject(s.ID), Reason: string(reason),
		Details: map[string]string{detailOperation: operationID, detailTemplate: s.Release.Template, detailVersion: s.Release.Version},
	}
	if database := s.Database(); database != "" {
		request.Engine = "mariadb"
		request.Dump = func(ctx context.Context, w io.Writer) ([]string, error) { return b.Databases.Dump(ctx, database, w) }
	}
	saved, err := runner.Save(ctx, place, request, told(progress))
	if err != nil {
		return tenants.Snapshot{}, classified(err)
	}
	return converted(saved, s.AssociationID), nil
}

// Expire implements [provision.Backups].
func (b *Backups) Expire(ctx context.Context, s tenants.Site) ([]tenants.Snapshot, error) {
	place, err := b.place(s.AssociationID)
	if err != nil {
		return nil, err
	}
	all, err := b.Nightly.List(ctx, place)
	if err != nil {
		return nil, classified(err)
	}
	var own []backups.Snapshot
	for _, x := range all {
		if x.Subject == subject(s.ID) {
			own = append(own, x)
		}
	}
	b.expiring.Lock()
	defer b.expiring.Unlock()
	var ids []string
	for _, x := range b.Retention.Expired(own, b.Zone) {
		ids = append(ids, x.ID)
	}
	if len(ids) > 0 {
		if all, err = b.Nightly.Forget(ctx, place, ids); err != nil {
			return nil, classified(err)
		}
	}
	out := make([]tenants.Snapshot, 0, len(all))
	for _, x := range all {
		out = append(out, converted(x, s.AssociationID))
	}
	return out, nil
}

// RestoreFiles implements [provision.Backups].
func (b *Backups) RestoreFiles(ctx context.Context, s tenants.Site, snapshotID string, progress provision.BytesFunc) error {
	place, err := b.place(s.AssociationID)
	if err != nil {
		return err
	}
	return classified(b.Waiting.Restore(ctx, place, snapshotID, b.data(s), nil, told(progress)))
}

// RestoreDatabase implements [provision.Backups].
func (b *Backups) RestoreDatabase(ctx context.Context, s tenants.Site, snapshotID, password string) error {
	place, err := b.place(s.AssociationID)
	if err != nil {
		return err
	}
	read, write := io.Pipe()
	var work errgroup.Group
	work.Go(func() error {
		err := b.Databases.Import(ctx, s.Database(), password, read)
		_ = read.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // ends the writer where the importer has given up
		return err
	})
	err = b.Waiting.Dump(ctx, place, snapshotID, write)
	_ = write.CloseWithError(err) // nil: the end
	if failed := work.Wait(); failed != nil && !errors.Is(failed, err) {
		return fmt.Errorf("importing the dump of snapshot %s: %w", snapshotID, failed)
	}
	return classified(err)
}

// place returns where the repository of an association is, with its key.
func (b *Backups) place(associationID string) (process.Place, error) {
	master, err := b.Key()
	if err != nil {
		return process.Place{}, err
	}
	password, err := backups.Password(master, "association:"+associationID)
	return process.Place{Dir: filepath.Join(b.Repositories, associationID), Password: password}, err
}

// data returns the directory of the site's files.
func (b *Backups) data(s tenants.Site) string {
	return filepath.Join(b.Sites, s.ID, tenants.DataDirectory(s.Release.Generation))
}

// subject names a site in a repository. A site is one history whatever becomes of its name, host and machine.
func subject(siteID string) string { return "site:" + siteID }

func told(progress provision.BytesFunc) func(backups.Progress) {
	return func(p backups.Progress) { progress(p.Bytes, p.TotalBytes) }
}

// classified gives errors of a repository the class that plans know.
func classified(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", tenants.ErrDiskFull, err)
	case errors.Is(err, backups.ErrDamaged):
		return fmt.Errorf("%w: %w", tenants.ErrDamaged, err)
	case errors.Is(err, backups.ErrNotFound):
		return fmt.Errorf("%w: %w", tenants.ErrNotFound, err)
	case errors.Is(err, backups.ErrPassword):
		return fmt.Errorf("%w: %w", tenants.ErrRefused, err)
	}
	return err
}

func converted(x backups.Snapshot, associationID string) tenants.Snapshot {
	out := tenants.Snapshot{
		ID: x.ID, AssociationID: associationID, Reason: tenants.SnapshotReason(x.Reason), TakenAt: x.TakenAt, EndedAt: x.EndedAt,
		Template: x.Details[detailTemplate], Version: x.Details[detailVersion], Files: x.Files, Bytes: x.Bytes,
		MissingCount: x.MissingCount, Pinned: x.Pinned,
	}
	if len(x.Subject) > len(subject("")) {
		out.SiteID = x.Subject[len(subject("")):]
	}
	if x.Database != nil {
		out.DatabaseBytes = x.Database.Size
	}
	for _, m := range x.Missing {
		out.Missing = append(out.Missing, m.Path)
	}
	return out
}
