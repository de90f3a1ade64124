package provision

import (
	"context"
	"errors"
	"fmt"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// Backups saves and restores the data of sites in the repository of their association.
type Backups interface {
	// Save saves the data of the site's release. Repeated within one operation it returns what was saved already.
	Save(ctx context.Context, s tenants.Site, reason tenants.SnapshotReason, operationID string, progress BytesFunc) (tenants.Snapshot, error)
	// Expire removes the snapshots of the site that need not be kept any longer, and returns those that are left of its
	// whole association.
	Expire(ctx context.Context, s tenants.Site) ([]tenants.Snapshot, error)
	// RestoreFiles writes the files of a snapshot into the directory of the site's release, which must be empty.
	RestoreFiles(ctx context.Context, s tenants.Site, snapshotID string, progress BytesFunc) error
	// RestoreDatabase imports the database of a snapshot into that of the site's release, which must be empty. A snapshot
	// without a database is success.
	RestoreDatabase(ctx context.Context, s tenants.Site, snapshotID, password string) error
}

// BytesFunc is told how many bytes are done; a total of 0 is unknown.
type BytesFunc func(done, total int64)

// backupBytes is the room that a backup is sure to need, in bytes; what it adds is only known when it is done.
const backupBytes = 64 << 20

// holdsBackup leaves the site free: it can be suspended, resumed and repaired while it is backed up. The repository is not
// held: several may write to it, and what none refers to any more stays in it for a day.
func holdsBackup(op operations.Operation) []operations.Hold {
	return []operations.Hold{{Subject: DataSubject(op.SiteID), Shared: true}, {Subject: "backup:" + op.SiteID}}
}

// siteBackup saves the site's data. There is nothing to undo: a snapshot that was saved stays.
func (p *Plans) siteBackup() operations.Plan {
	return operations.Plan{Kind: KindSiteBackup, Version: 1, Steps: []operations.Step{p.stepSave(), p.stepExpire()}}
}

// siteRecover brings a snapshot back as a new generation of the site's data, beside the one that visitors go on to use until
// the new one has answered. What they write meanwhile stays in the old generation, which is kept.
func (p *Plans) siteRecover() operations.Plan {
	switched := p.stepSwitch()
	switched.Pivot = true
	return operations.Plan{
		Kind: KindSiteRecover, Version: 1,
		Steps: []operations.Step{
			p.stepSaveBefore(), p.stepNextGeneration(), p.stepRestoreFiles(), p.stepRestoreDatabase(), p.stepNewSockets(),
			p.stepNewContainers(), p.stepNewStart(), p.stepNewReady(), switched, p.stepRemovePrevious(), p.stepExpire(),
		},
	}
}

func (p *Plans) stepSave() operations.Step {
	return operations.Step{
		Name: "save", Cancellable: true,
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var spec Spec
			if err := r.Spec(&spec); err != nil {
				return err
			}
			return p.save(ctx, r, s, spec.Reason)
		}),
	}
}

// stepSaveBefore saves the present state, so that nothing is lost by what follows.
func (p *Plans) stepSaveBefore() operations.Step {
	return operations.Step{
		Name: "save", Cancellable: true,
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			return p.save(ctx, r, s, tenants.SnapshotBeforeRestore)
		}),
	}
}

func (p *Plans) save(ctx context.Context, r *operations.Run, s tenants.Site, reason tenants.SnapshotReason) error {
	if s.Release.ID == "" {
		return operations.Permanent(operations.CauseContradiction, fmt.Errorf("site %s has no release whose data could be saved", s.ID))
	}
	if s.Release.DatabaseEngine == tenants.DatabasePostgreSQL {
		// Its files copied while it runs would be no backup.
		return operations.Permanent(operations.CauseTemplate, fmt.Errorf("site %s keeps its data in PostgreSQL, which cannot be saved yet", s.ID))
	}
	if err := p.Disk.Room(ctx, backupBytes); err != nil {
		return err
	}
	_, err := p.Backups.Save(ctx, s, reason, r.Op.ID, bytesOf(r))
	return err
}

func bytesOf(r *operations.Run) BytesFunc {
	return func(done, total int64) { r.Progress(done, total, operations.UnitBytes) }
}

// stepExpire removes what need not be kept and copies the list of what is left into the records.
func (p *Plans) stepExpire() operations.Step {
	return operations.Step{
		Name: "expire",
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			left, err := p.Backups.Expire(ctx, s)
			if err != nil {
				return err
			}
			return p.Records.SaveSnapshots(ctx, s.AssociationID, left)
		}),
	}
}

// stepNextGeneration records the release that the restored data will have: like the site's, with data of its own.
func (p *Plans) stepNextGeneration() operations.Step {
	return operations.Step{
		Name: "release",
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			generation, err := p.Records.LastGeneration(ctx, s.ID)
			if err != nil {
				return err
			}
			images := map[string]string{}
			for _, c := range s.Release.Containers {
				images[c.Name] = c.ImageID
			}
			next := s
			next.Release.Generation = generation + 1
			to, err := p.createRelease(ctx, next, s.Release.Version, s.Release.Mode, images, r.Op.ID)
			if err != nil {
				return err
			}
			return r.SetResult(releaseChange{From: s.Release.ID, To: to.ID})
		}),
		Undo: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			return p.Records.DeleteRelease(ctx, s.ID, r.Op.ID)
		}),
	}
}

// onNewData is onNew for the steps that make and remove data: they must never reach the generation that the site has.
func (p *Plans) onNewData(fn siteFunc) func(context.Context, *operations.Run) error {
	return func(ctx context.Context, r *operations.Run) error {
		now, err := p.site(ctx, r)
		if err != nil {
			return err
		}
		return p.onNew(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			if s.Release.Generation == now.Release.Generation {
				return operations.Permanent(operations.CauseContradiction, fmt.Errorf("site %s has generation %d already", s.ID, now.Release.Generation))
			}
			return fn(ctx, r, s)
		})(ctx, r)
	}
}

func (p *Plans) stepRestoreFiles() operations.Step {
	return operations.Step{
		Name: "files", Cancellable: true,
		Do: p.onNewData(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var spec Spec
			if err := r.Spec(&spec); err != nil {
				return err
			}
			// A try before may have left a part.
			if err := p.Disk.RemoveData(ctx, s); err != nil {
				return err
			}
			if err := p.Disk.Ensure(ctx, s); err != nil {
				return err
			}
			return permanentIfGone(p.Backups.RestoreFiles(ctx, s, spec.Snapshot, bytesOf(r)))
		}),
		Undo: p.undoNewData(p.removeData),
	}
}

// undoNewData is onNewData for undoing: what was never made needs no undo.
func (p *Plans) undoNewData(fn siteFunc) func(context.Context, *operations.Run) error {
	undo := p.onNewData(fn)
	return func(ctx context.Context, r *operations.Run) error {
		var change releaseChange
		if ok, err := r.Result("release", &change); err != nil || !ok {
			return err
		}
		return undo(ctx, r)
	}
}

func (p *Plans) removeData(ctx context.Context, _ *operations.Run, s tenants.Site) error {
	return p.Disk.RemoveData(ctx, s)
}

func (p *Plans) stepRestoreDatabase() operations.Step {
	drop := func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return p.dropDatabase(ctx, s) }
	return operations.Step{
		Name: "database", Cancellable: true,
		Do: p.onNewData(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var spec Spec
			if err := r.Spec(&spec); err != nil {
				return err
			}
			if s.Database() == "" {
				return nil
			}
			if err := drop(ctx, r, s); err != nil {
				return err
			}
			password, err := p.Disk.Secret(ctx, s.ID, "db_password")
			if err != nil {
				return fmt.Errorf("reading the site's database password: %w", err)
			}
			if err := p.Databases.Ensure(ctx, s.Database(), r.Op.ID, password); err != nil {
				return err
			}
			return permanentIfGone(p.Backups.RestoreDatabase(ctx, s, spec.Snapshot, password))
		}),
		Undo: p.undoNewData(drop),
	}
}

// permanentIfGone: a snapshot that is not there, or is damaged, will not be whole by the next try.
func permanentIfGone(err error) error {
	if errors.Is(err, tenants.ErrNotFound) || errors.Is(err, tenants.ErrDamaged) {
		return operations.Permanent(operations.CauseSnapshot, err)
	}
	return err
}

// BackUpSite saves a site's data now.
func (d *Provisioner) BackUpSite(ctx context.Context, r Request, siteID string) (operations.Operation, error) {
	c := backUp
	c.spec.Reason = tenants.SnapshotAsked
	if r.Principal.Kind == tenants.KindSystem {
		c.spec.Reason = tenants.SnapshotDaily
	}
	return d.change(ctx, r, siteID, c)
}

// RecoverSite brings back the state that a snapshot has. ErrNotFound for a snapshot that the site does not have.
func (d *Provisioner) RecoverSite(ctx context.Context, r Request, siteID, snapshotID string) (operations.Operation, error) {
	c := recoverSite
	c.spec.Snapshot = snapshotID
	c.check = func(ctx context.Context) error {
		_, err := d.Records.Snapshot(ctx, siteID, snapshotID)
		return err
	}
	return d.change(ctx, r, siteID, c)
}
