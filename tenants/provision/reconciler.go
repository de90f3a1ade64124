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
// must not be able to delete the living.
type Reconciler struct {
	*Plans
	Queue    operations.Queue
	Registry *operations.Registry
	Nudge    func()

	reported map[string]bool
}

// repairPause is how long a site is left alone after a repair that failed, so that history stays readable.
const repairPause = 10 * time.Minute

// Reconcile makes one round. It goes on after a failure with one site and returns all failures together.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	if r.reported == nil {
		r.reported = map[string]bool{}
	}
	sites, err := r.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	containers, err := r.Engine.List(ctx, map[string]string{tenants.LabelInstance: r.Instance, tenants.LabelSite: ""})
	if err != nil {
		return fmt.Errorf("listing containers: %w", err)
	}
	bySite := map[string]tenants.Container{}
	for _, c := range containers {
		bySite[c.Labels[tenants.LabelSite]] = c
	}
	var faults []error
	for _, s := range sites {
		c, there := bySite[s.ID]
		delete(bySite, s.ID)
		faults = append(faults, r.settle(ctx, s, c, there))
	}
	for id, c := range bySite {
		faults = append(faults, r.stray(ctx, id, c))
	}
	faults = append(faults, r.Routes.Publish(ctx))
	return errors.Join(faults...)
}

// settle asks for an operation when a site's container is not as its record wants it.
func (r *Reconciler) settle(ctx context.Context, s tenants.Site, c tenants.Container, there bool) error {
	switch {
	case s.State == tenants.StateReady && !(there && c.Running()):
		return r.ask(ctx, s, KindSiteRepair)
	case s.State == tenants.StateReady:
		if ok, err := r.Egress.Published(ctx, s.ID); err != nil || ok {
			return err
		}
		return r.ask(ctx, s, KindSiteRepair)
	case (s.State == tenants.StateSuspended || s.State == tenants.StateBinned) && there && c.Running():
		return r.ask(ctx, s, KindSiteRest)
	}
	return nil
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

// stray deals with a container whose site is not live. One that our records made and gave up is removed; one without a
// record is reported once.
func (r *Reconciler) stray(ctx context.Context, id string, c tenants.Container) error {
	s, err := r.Records.Site(ctx, id)
	switch {
	case errors.Is(err, tenants.ErrNotFound):
		if !r.reported[c.Name] {
			r.reported[c.Name] = true
			r.Log.Warn("a container bears our label but no record knows its site; leaving it alone", "container", c.Name, "site", id)
		}
		return nil
	case err != nil:
		return err
	}
	busy, err := r.Queue.Operations(ctx, operations.Filter{SiteID: id, LiveOnly: true, Limit: 1})
	if err != nil || len(busy) > 0 || s.State.Live() {
		return err
	}
	r.Log.Warn("removing the container of a site that was given up", "container", c.Name, "site", id)
	return r.Engine.Remove(ctx, c.Name)
}
