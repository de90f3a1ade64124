package provision

import (
	"context"
	"errors"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// repair requests a repair of a ready site whose containers, sockets or egress list are not as recorded.
func (r *Reconciler) repair(ctx context.Context, s tenants.Site, t *siteObjects, runs, deep bool) error {
	if !runs {
		return r.ask(ctx, s, Spec{}, KindSiteRepair, repairPause)
	}
	connected, err := r.connected(ctx, s)
	if err != nil {
		return err
	}
	if !connected {
		return r.ask(ctx, s, Spec{}, KindSiteRepair, repairPause)
	}
	out, err := r.Egress.Published(ctx, s.ID)
	if err != nil {
		return err
	}
	if !out {
		return r.ask(ctx, s, Spec{}, KindSiteRepair, repairPause)
	}
	fit, err := r.upToDate(ctx, s, t, deep)
	if err != nil {
		return err
	}
	if !fit {
		return r.ask(ctx, s, Spec{}, KindSiteRepair, replacePause)
	}
	return r.restartSilent(ctx, s)
}

// upToDate reports whether running containers match their release. A site whose replacement failed lately is compared in
// every round, so that its finding stays open.
func (r *Reconciler) upToDate(ctx context.Context, s tenants.Site, t *siteObjects, deep bool) (bool, error) {
	if t.hasOthers(s.Release) {
		return false, nil // an interrupted replacement or update
	}
	for _, c := range s.Release.Containers {
		if t.container(c.Container).ImageID != c.ImageID {
			return false, nil
		}
	}
	if !deep && !r.refused[s.ID] {
		return true, nil
	}
	delete(r.refused, s.ID)
	specs, err := r.specs(ctx, s)
	if err != nil {
		return false, err
	}
	for _, spec := range specs {
		what, err := r.drift(ctx, spec.Name, spec)
		if errors.Is(err, tenants.ErrNotFound) {
			continue // it or its image has just gone, which is detected elsewhere
		}
		if err != nil || len(what) > 0 {
			return false, err
		}
	}
	return true, nil
}

// restartSilent requests one restart of a site that has not answered for a while.
func (r *Reconciler) restartSilent(ctx context.Context, s tenants.Site) error {
	since := r.Silent(s.ID)
	if since.IsZero() {
		return nil
	}
	r.addFinding(s.ID, tenants.FindingSiteIll, tenants.LevelTrouble)
	if r.Now().Sub(since) < silentTimeout {
		return nil
	}
	recent, err := r.Queue.Operations(ctx, operations.Filter{SiteID: s.ID, Subject: siteSubject(s.ID), Limit: 1})
	if err != nil {
		return err
	}
	if len(recent) > 0 && recent[0].Kind == KindSiteRepair && r.Now().Sub(recent[0].CreatedAt) < restartCooldown {
		return nil // tried already
	}
	return r.ask(ctx, s, Spec{Restart: true}, KindSiteRepair, repairPause)
}

// nameTaken reports whether a foreign container has the name of a container of the site. No repair could help then, and the
// container is not ours to remove.
func (r *Reconciler) nameTaken(ctx context.Context, s tenants.Site, t *siteObjects) (bool, error) {
	for _, c := range s.Release.Containers {
		if t.container(c.Container).Name != "" {
			continue
		}
		have, err := r.Engine.Inspect(ctx, c.Container)
		if errors.Is(err, tenants.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if have.Labels[tenants.LabelInstance] == r.Instance && have.Labels[tenants.LabelSite] == s.ID {
			continue // it has just come
		}
		r.addFinding(s.ID, tenants.FindingSiteNameTaken, tenants.LevelTrouble, "container", c.Container)
		return true, nil
	}
	return false, nil
}
