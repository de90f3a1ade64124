package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// Reconciler compares what there is with what the records say, and repairs by operations, which take their turn behind
// whatever works on the site already. What has no record is reported and left alone: a worker pointed at an old database
// must not be able to delete the living. What lies there without a right to is dealt with in strays.go and groups.go,
// what should lie there and does not in missing.go.
type Reconciler struct {
	*Plans
	Queue    operations.Queue
	Registry *operations.Registry
	Sight    Sight
	Nudge    func()

	reported map[string]bool
}

// repairPause is how long a site is left alone after a repair that failed, so that history stays readable.
const repairPause = 10 * time.Minute

// Reconcile makes one round. It goes on after a failure with one site and returns all failures together.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	// The records before everything else: what a site that is ready now owns was made before, so it cannot be missed
	// below merely for being young. What is younger than the records is asked after once more before it counts as stray.
	sites, err := r.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	there, err := r.look(ctx)
	if err != nil {
		return err
	}
	faults := there.faults
	for _, s := range sites {
		faults = append(faults, r.settle(ctx, s, there))
		delete(there.traces, s.ID)
	}
	for _, id := range there.ids() {
		faults = append(faults, r.stray(ctx, id, there.traces[id]))
	}
	// Groups last: Keycloak may be slow to say that it is not there.
	faults = append(faults, r.Routes.Publish(ctx), r.groups(ctx))
	return errors.Join(faults...)
}

// settle asks for an operation when a site's container is not as its record wants it, and tells what it has lost.
func (r *Reconciler) settle(ctx context.Context, s tenants.Site, there *sighting) error {
	if s.State == tenants.StateCreating {
		return nil // its operation is at work on it
	}
	data, sockets, err := r.Disk.Has(ctx, s)
	if err != nil {
		return err
	}
	lost, err := r.missing(ctx, s, data, there)
	if err != nil || lost && !data {
		return err // a container cannot run without data, and must not run on empty ones
	}
	c := there.of(s.ID).container
	running := c != nil && c.Running()
	switch {
	case s.State == tenants.StateReady:
		fit, err := r.fit(ctx, s, running && sockets)
		if err != nil || fit {
			return err
		}
		return r.ask(ctx, s, KindSiteRepair)
	case running || !sockets:
		return r.ask(ctx, s, KindSiteRest)
	}
	return nil
}

// fit reports whether a ready site that runs also has its way out.
func (r *Reconciler) fit(ctx context.Context, s tenants.Site, runs bool) (bool, error) {
	if !runs {
		return false, nil
	}
	return r.Egress.Published(ctx, s.ID)
}

func (r *Reconciler) ask(ctx context.Context, s tenants.Site, kind string) error {
	recent, err := r.Queue.Operations(ctx, operations.Filter{SiteID: s.ID, Limit: 1})
	if err != nil {
		return err
	}
	if len(recent) > 0 && (!recent[0].State.Ended() || r.pausing(recent[0], kind)) {
		return nil
	}
	plan, err := r.Registry.Latest(kind)
	if err != nil {
		return err
	}
	op, err := operations.NewOperation(plan, r.Now().UTC(), "site:"+s.ID, "", Wish{AssociationID: s.AssociationID, SiteID: s.ID, Was: s.State})
	if err != nil {
		return err
	}
	op.AssociationID, op.SiteID, op.CreatedBy = s.AssociationID, s.ID, tenants.System().Name
	err = r.Records.Transact(ctx, func(ctx context.Context) error {
		if _, err := r.Queue.Insert(ctx, op); err != nil {
			return err
		}
		now, err := r.Records.Site(ctx, s.ID)
		if err == nil && now.State != s.State {
			err = operations.ErrBusy // it changed while we looked: the next round sees it as it is
		}
		return err
	})
	if errors.Is(err, operations.ErrBusy) {
		return nil
	}
	if err == nil {
		r.Log.Warn("a site is not as its record says; repairing", "site", s.ID, "state", s.State, "kind", kind, "operation", op.ID)
		r.Nudge()
	}
	return err
}

func (r *Reconciler) pausing(last operations.Operation, kind string) bool {
	return last.Kind == kind && last.State == operations.Undone && last.EndedAt != nil && r.Now().Sub(*last.EndedAt) < repairPause
}

// once reports whether something has not been told yet since this worker started.
func (r *Reconciler) once(what string) bool {
	if r.reported[what] {
		return false
	}
	if r.reported == nil {
		r.reported = map[string]bool{}
	}
	r.reported[what] = true
	return true
}

// busy reports whether an operation works on the site or waits to.
func (r *Reconciler) busy(ctx context.Context, siteID string) (bool, error) {
	live, err := r.Queue.Operations(ctx, operations.Filter{SiteID: siteID, LiveOnly: true, Limit: 1})
	return len(live) > 0, err
}
