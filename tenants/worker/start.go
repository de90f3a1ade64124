package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/findings"
	"chatiere/tenants/records"
)

// Database opens the records as the user that may change their schema.
type Database func(ctx context.Context) (Schema, error)

// Schema is the records' database as that user sees it.
type Schema interface {
	records.Database
	findings.Records
	io.Closer
	Ping(ctx context.Context) error
	// Migrate brings the schema up to date and grants each role what it needs.
	Migrate(ctx context.Context) error
}

const pingInterval = time.Second

// awaitDatabase waits until the database answers.
func (w *Worker) awaitDatabase(ctx context.Context, schema Schema) error {
	for logged := false; ; {
		err := schema.Ping(ctx)
		if err == nil {
			return nil
		}
		if !logged {
			w.Log.Warn("the database does not answer yet; waiting for it", "error", err)
			logged = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pingInterval):
		}
	}
}

// migrate waits for the database and brings its schema up to date.
func (w *Worker) migrate(ctx context.Context) error {
	schema, err := w.Database(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = schema.Close() }() // nothing is written through it after Migrate
	if err := w.awaitDatabase(ctx, schema); err != nil {
		return err
	}
	return schema.Migrate(ctx)
}

// prepare brings schema, certificate and tables up to date, and takes over from a predecessor.
func (w *Worker) prepare(ctx context.Context) error {
	if err := w.migrate(ctx); err != nil {
		return err
	}
	if err := w.Root.removeUnfinished(); err != nil {
		return fmt.Errorf("removing unfinished files of a predecessor: %w", err)
	}
	if err := w.Guard.Begin(ctx); err != nil {
		return err
	}
	if err := w.reserveUIDs(ctx); err != nil {
		return err
	}
	if err := w.ensureDatabaseSockets(ctx); err != nil {
		return err
	}
	w.recordReleases(ctx)
	if err := w.distributeEntryKey(ctx); err != nil {
		return err
	}
	n, err := w.Records.RevokeLeases(ctx)
	if err != nil {
		return fmt.Errorf("revoking a predecessor's leases: %w", err)
	}
	if n > 0 {
		w.Log.Warn("a predecessor left operations unfinished; taking over", "operations", n)
	}
	// A killed worker that refused these records could not end its finding; one that still does reports it again.
	if err := w.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaRecords}, nil); err != nil {
		return err
	}
	return w.Sites.Plans.Routes.Publish(ctx)
}

// reserveUIDs makes sure that records from an older dump do not assign a user id that is in use on the data root.
func (w *Worker) reserveUIDs(ctx context.Context) error {
	highest, err := w.Disk.HighestUID(ctx, w.Sites.LastUID)
	if err != nil {
		return fmt.Errorf("looking for user ids in use: %w", err)
	}
	if highest < w.Sites.FirstUID {
		return nil
	}
	return w.Records.RaiseUIDs(ctx, highest)
}

// ensureDatabaseSockets makes the directories for database sockets of sites of former versions, before the reconciler
// compares them.
func (w *Worker) ensureDatabaseSockets(ctx context.Context) error {
	sites, err := w.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	for _, s := range sites {
		if err := w.Disk.EnsureDatabaseSocket(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// recordReleases gives sites that were made before there were releases their first one, before anything compares them with
// it. A site that cannot be recorded is reported by the reconciler and tried again at the next start; its container runs on.
func (w *Worker) recordReleases(ctx context.Context) {
	found, err := w.Records.Unreleased(ctx)
	if err != nil {
		w.Log.Error("listing the sites without a release", "error", err)
	}
	for _, u := range found {
		if err := w.Sites.Plans.Record(ctx, u.Site, u.Version, u.ImageID); err != nil {
			w.Log.Error("recording the first release of a site", "site", u.Site.ID, "error", err)
			continue
		}
		w.Log.Info("recorded the first release of a site", "site", u.Site.ID, "version", u.Version)
	}
}

// distributeEntryKey writes the panel's public key to the sites that were made before there was one, or before it was
// replaced. A failure for a site is only logged: people cannot enter that site from the panel.
func (w *Worker) distributeEntryKey(ctx context.Context) error {
	sites, err := w.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("giving sites the panel's key: %w", err)
	}
	for _, s := range sites {
		if s.State == tenants.StateCreating {
			continue // its own operation does it
		}
		if err := w.Disk.EnsureEntry(ctx, s); err != nil && !errors.Is(err, context.Canceled) {
			w.Log.Error("a site was not given the panel's key", "site", s.ID, "error", err)
		}
	}
	return ctx.Err()
}
