package provision

import (
	"context"
	"errors"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// mend asks for a repair of a ready site where its container, its sockets or its way out are not as they must be.
func (r *Reconciler) mend(ctx context.Context, s tenants.Site, t *trace, runs, deep bool) error {
	if !runs {
		return r.ask(ctx, s, Wish{}, KindSiteRepair, repairPause)
	}
	out, err := r.Egress.Published(ctx, s.ID)
	if err != nil {
		return err
	}
	if !out {
		return r.ask(ctx, s, Wish{}, KindSiteRepair, repairPause)
	}
	fit, err := r.fit(ctx, s, t, deep)
	if err != nil {
		return err
	}
	if !fit {
		return r.ask(ctx, s, Wish{}, KindSiteRepair, replacePause)
	}
	return r.heal(ctx, s)
}

// fit reports whether running containers are as their release says. A site whose replacement failed lately is compared in
// every round, so that what was said about it stays said.
func (r *Reconciler) fit(ctx context.Context, s tenants.Site, t *trace, deep bool) (bool, error) {
	if t.others(s.Release) {
		return false, nil // a replacement or an update was cut short
	}
	for _, c := range s.Release.Containers {
		if t.named(c.Container).ImageID != c.ImageID {
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
		what, err := r.unlike(ctx, spec.Name, spec)
		if errors.Is(err, tenants.ErrNotFound) {
			continue // gone just now, or its image is: either is seen elsewhere
		}
		if err != nil || len(what) > 0 {
			return false, err
		}
	}
	return true, nil
}

// heal asks for a restart, once, of a container that has not answered for a while.
func (r *Reconciler) heal(ctx context.Context, s tenants.Site) error {
	since := r.Silent(s.ID)
	if since.IsZero() {
		return nil
	}
	r.find(s.ID, tenants.FindingSiteIll, tenants.LevelTrouble)
	if r.Now().Sub(since) < illness {
		return nil
	}
	recent, err := r.Queue.Operations(ctx, operations.Filter{SiteID: s.ID, Limit: 1})
	if err != nil {
		return err
	}
	if len(recent) > 0 && recent[0].Kind == KindSiteRepair && r.Now().Sub(recent[0].CreatedAt) < relapse {
		return nil // that was tried
	}
	return r.ask(ctx, s, Wish{Restart: true}, KindSiteRepair, repairPause)
}

// nameTaken reports whether something that is none of ours bears the name of a container of the site. No repair could help
// then, and it is not ours to remove.
func (r *Reconciler) nameTaken(ctx context.Context, s tenants.Site, t *trace) (bool, error) {
	for _, c := range s.Release.Containers {
		if t.named(c.Container).Name != "" {
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
		r.find(s.ID, tenants.FindingSiteNameTaken, tenants.LevelTrouble, "container", c.Container)
		return true, nil
	}
	return false, nil
}
