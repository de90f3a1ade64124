package provision

import (
	"context"
	"errors"
	"fmt"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// handleOrphan deals with what lies there for a site that is not live. What our own records made and gave up is removed; what
// no record knows is told once and left alone.
func (r *Reconciler) handleOrphan(ctx context.Context, id string, t *siteObjects) error {
	s, err := r.Records.Site(ctx, id)
	if errors.Is(err, tenants.ErrNotFound) {
		what := t.summary()
		r.addFinding(id, tenants.FindingSiteUnknown, tenants.LevelAttention, "what", what)
		if r.firstTime(id + ": " + what) {
			r.Log.Warn("something bears a site's name but no record knows that site; leaving it alone", "site", id, "there", what)
		}
		return nil
	}
	if err != nil || s.State.Live() { // born while we looked
		return err
	}
	busy, err := r.busy(ctx, id)
	if err != nil || busy {
		return err // being undone or purged: its own operation removes all this
	}
	ours, err := r.ownedParts(ctx, s, *t)
	if err != nil || ours.empty() {
		return err
	}
	r.Log.Warn("removing what is left of a site that was given up", "site", id, "state", s.State, "there", ours.summary())
	if err := r.clear(ctx, id, ours); err != nil {
		return fmt.Errorf("removing what is left of site %s: %w", id, err)
	}
	return nil
}

// ownedParts takes out of a given-up site's traces the databases that do not bear the mark of an operation in our records on that
// very site. A user alone bears no mark; its name does, since ids are never given twice.
func (r *Reconciler) ownedParts(ctx context.Context, s tenants.Site, t siteObjects) (siteObjects, error) {
	var ours []FoundDatabase
	for _, d := range t.databases {
		op, err := r.creatorOf(ctx, d.Instance, d.Operation)
		if err != nil {
			return t, err
		}
		if !d.Database || op.SiteID == s.ID {
			ours = append(ours, d)
			continue
		}
		if r.firstTime(d.Name) {
			r.Log.Warn("a database bears the name of a site that was given up, but not the mark of an operation of ours; leaving it alone",
				"site", s.ID, "database", d.Name, "instance", d.Instance, "operation", d.Operation)
		}
	}
	t.databases = ours
	return t, nil
}

// clear removes a given-up site's leftovers in the order that lets nobody work on what is about to go.
func (r *Reconciler) clear(ctx context.Context, id string, t siteObjects) error {
	if len(t.containers) > 0 {
		if err := r.removeContainers(ctx, id); err != nil {
			return err
		}
	}
	if t.egress {
		if err := r.Egress.Withdraw(ctx, id); err != nil {
			return err
		}
	}
	for _, d := range t.databases {
		if err := r.Databases.Drop(ctx, d.Name); err != nil {
			return err
		}
	}
	if t.files {
		return r.Disk.Remove(ctx, id)
	}
	return nil
}

// creatorOf returns the operation that a mark names; none, with the zero operation, when it is not in our own records.
func (r *Reconciler) creatorOf(ctx context.Context, instance, operation string) (operations.Operation, error) {
	if instance != r.Instance || operation == "" {
		return operations.Operation{}, nil
	}
	op, err := r.Queue.Operation(ctx, operation)
	if errors.Is(err, operations.ErrNotFound) {
		return operations.Operation{}, nil
	}
	return op, err
}
