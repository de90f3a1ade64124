package wire

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"chatiere/cmd/internal/config"
	"chatiere/migrations"
	"chatiere/templates"
	"chatiere/tenants/mysql"
)

const (
	lockPoll  = time.Second
	startPoll = time.Second
)

// lockDataRoot takes the data root's worker lock; while another worker holds it, it logs that once and waits.
func (w *Worker) lockDataRoot(ctx context.Context) (unlock func(), err error) {
	path := w.config.Paths().WorkerLock()
	lock := flock.New(path)
	taken, err := lock.TryLock()
	if err == nil && !taken {
		w.log.Warn("another worker works on this data root; waiting for it to end", "lock", path)
		_, err = lock.TryLockContext(ctx, lockPoll)
	}
	if err != nil {
		return nil, fmt.Errorf("taking the worker's lock: %w", err)
	}
	return func() { _ = lock.Close() }, nil
}

// migrate waits for the database, brings the schema up to date and grants each role what it needs.
func (w *Worker) migrate(ctx context.Context) error {
	c := w.config
	settings, err := databaseConfig(c, c.Database.MigrateUser, c.Secret(config.SecretDBMigrate), w.log)
	if err != nil {
		return err
	}
	pool, err := mysql.Connect(settings)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // nothing is written through it after Grant
	if err := w.awaitDatabase(ctx, pool); err != nil {
		return err
	}
	if err := migrations.Up(ctx, pool, w.log); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	users := migrations.Users{Panel: c.Database.PanelUser, Worker: c.Database.WorkerUser}
	if err := migrations.Grant(ctx, pool, c.Database.Name, users); err != nil {
		return fmt.Errorf("granting rights: %w", err)
	}
	return nil
}

func (w *Worker) awaitDatabase(ctx context.Context, pool *sql.DB) error {
	for said := false; ; {
		err := pool.PingContext(ctx)
		if err == nil {
			return nil
		}
		if !said {
			w.log.Warn("the database does not answer yet; waiting for it", "error", err)
			said = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startPoll):
		}
	}
}

// seenUIDs finds user ids on the data root.
type seenUIDs interface {
	HighestUID(ctx context.Context, last int) (int, error)
}

// givenUIDs assigns user ids.
type givenUIDs interface {
	RaiseUIDs(ctx context.Context, seen int) error
}

// reserveUIDs makes sure that records from an older dump do not assign a user id that is in use on the data root.
func reserveUIDs(ctx context.Context, seen seenUIDs, given givenUIDs, first, last int) error {
	highest, err := seen.HighestUID(ctx, last)
	if err != nil {
		return fmt.Errorf("looking for user ids in use: %w", err)
	}
	if highest < first {
		return nil
	}
	return given.RaiseUIDs(ctx, highest)
}

// databaseSockets makes the directories for database sockets of sites of former versions, before the reconciler compares
// them.
func (w *Worker) databaseSockets(ctx context.Context) error {
	sites, err := w.store.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	for _, s := range sites {
		if err := w.disk.EnsureDatabaseSocket(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// recordReleases gives sites that were made before there were releases their first one, before anything compares them with
// it. A site that cannot be recorded is told by the reconciler and tried again at the next start; its container runs on.
func (w *Worker) recordReleases(ctx context.Context) {
	found, err := w.store.Unreleased(ctx)
	if err != nil {
		w.log.Error("listing the sites without a release", "error", err)
	}
	for _, u := range found {
		if err := w.plans.Record(ctx, u.Site, u.Version, u.ImageID); err != nil {
			w.log.Error("recording the first release of a site", "site", u.Site.ID, "error", err)
			continue
		}
		w.log.Info("recorded the first release of a site", "site", u.Site.ID, "version", u.Version)
	}
}

// platformFiles writes the files that every site's container mounts.
func (w *Worker) platformFiles() error {
	paths := templates.PathsUnder(w.config.Root, "")
	for path, text := range map[string]string{paths.Resolv: templates.ResolvConf, paths.Hosts: templates.HostsFile} {
		if have, err := os.ReadFile(path); err == nil && string(have) == text {
			continue
		}
		// Written in place when it is there: containers hold the file itself, a rename would leave them the old one.
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("making %s: %w", filepath.Dir(path), err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return nil
}
