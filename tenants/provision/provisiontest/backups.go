package provisiontest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// backups keeps what sites contain, and snapshots of it, as one word for the files and the database each.
type backups struct{ *World }

// saved is a snapshot with what it holds, and the operation that made it.
type saved struct {
	tenants.Snapshot
	files, database, operation string
}

// KeptSnapshots is how many of a site the fake retention keeps.
const KeptSnapshots = 2

// Write changes what a site's data contain, in the generation that it has.
func (w *World) Write(s tenants.Site, files, database string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.contents[dataOf(s)], w.contents["database:"+s.Database()] = files, database
}

// Read returns what a site's data contain.
func (w *World) Read(s tenants.Site) (files, database string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.contents[dataOf(s)], w.contents["database:"+s.Database()]
}

// Snapshots returns those in the repositories, oldest first.
func (w *World) Snapshots() []tenants.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]tenants.Snapshot, 0, len(w.snapshots))
	for _, s := range w.snapshots {
		out = append(out, s.Snapshot)
	}
	return out
}

// DamageSnapshot makes a snapshot one that cannot be restored.
func (w *World) DamageSnapshot(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.damaged[id] = true
}

func dataOf(s tenants.Site) string {
	return "files:" + s.ID + "/" + tenants.DataDirectory(s.Release.Generation)
}

func (w backups) Save(_ context.Context, s tenants.Site, reason tenants.SnapshotReason, operationID string, progress provision.BytesFunc) (tenants.Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.snapshots {
		if x.operation == operationID {
			return x.Snapshot, nil
		}
	}
	progress(1, 2)
	w.lastSnapshot++
	x := saved{
		Snapshot: tenants.Snapshot{
			ID: fmt.Sprintf("snapshot%d", w.lastSnapshot), SiteID: s.ID, AssociationID: s.AssociationID, Reason: reason, TakenAt: time.Now(), EndedAt: time.Now(),
		},
		files: w.contents[dataOf(s)], database: w.contents["database:"+s.Database()], operation: operationID,
	}
	w.snapshots = append(w.snapshots, x)
	return x.Snapshot, nil
}

func (w backups) Expire(_ context.Context, s tenants.Site) ([]tenants.Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := 0
	for _, x := range slices.Backward(w.snapshots) {
		if x.SiteID == s.ID {
			if own++; own > KeptSnapshots {
				w.snapshots = slices.DeleteFunc(w.snapshots, func(y saved) bool { return y.ID == x.ID })
			}
		}
	}
	var left []tenants.Snapshot
	for _, x := range w.snapshots {
		if x.AssociationID == s.AssociationID {
			left = append(left, x.Snapshot)
		}
	}
	return left, nil
}

func (w backups) find(id string) (saved, error) {
	i := slices.IndexFunc(w.snapshots, func(x saved) bool { return x.ID == id })
	if i < 0 {
		return saved{}, fmt.Errorf("snapshot %s: %w", id, tenants.ErrNotFound)
	}
	if w.damaged[id] {
		return saved{}, fmt.Errorf("snapshot %s: %w", id, tenants.ErrDamaged)
	}
	return w.snapshots[i], nil
}

func (w backups) RestoreFiles(_ context.Context, s tenants.Site, id string, progress provision.BytesFunc) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	x, err := w.find(id)
	if err != nil {
		return err
	}
	if _, full := w.contents[dataOf(s)]; full {
		return fmt.Errorf("%s is not empty: %w", dataOf(s), tenants.ErrConflict)
	}
	w.contents[dataOf(s)] = x.files
	progress(1, 1)
	return nil
}

func (w backups) RestoreDatabase(_ context.Context, s tenants.Site, id, password string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	x, err := w.find(id)
	if err != nil {
		return err
	}
	if password == "" {
		return fmt.Errorf("no password for %s: %w", s.Database(), tenants.ErrInvalid)
	}
	w.contents["database:"+s.Database()] = x.database
	return nil
}
