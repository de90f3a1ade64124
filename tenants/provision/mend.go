package provision

import (
	"context"
	"errors"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// mend asks for a repair of a ready site where its container, its sockets or its way out are not as they must be.
func (r *Reconciler) mend(ctx context.Context, s tenants.Site, t *trace, runs, deep bool) error {
	if !runs || t.container.Name != r.containerName(s.ID) {
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

// fit reports whether a running container is as it must be. One whose replacement failed lately is compared in
// every round, so that what was said about it stays said.
func (r *Reconciler) fit(ctx context.Context, s tenants.Site, t *trace, deep bool) (bool, error) {
	if t.waiting {
		return false, nil // a replacement was cut short
	}
	if t.container.ImageID != s.ImageID {
		return false, nil
	}
	if !deep && !r.refused[s.ID] {
		return true, nil
	}
	delete(r.refused, s.ID)
	spec, err := r.specOf(s, "")
	if err != nil {
		return false, err
	}
	what, err := r.unlike(ctx, spec.Name, spec)
	if errors.Is(err, tenants.ErrNotFound) {
		return true, nil // gone just now, or its image is: either is seen elsewhere
	}
	return len(what) == 0, err
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

// nameTaken reports whether something that is none of ours bears the name of a site's container. No repair could help
// then, and it is not ours to remove.
func (r *Reconciler) nameTaken(ctx context.Context, s tenants.Site, t *trace) (bool, error) {
	if t.container != nil && t.container.Name == r.containerName(s.ID) {
		return false, nil
	}
	name := r.containerName(s.ID)
	c, err := r.Engine.Inspect(ctx, name)
	if errors.Is(err, tenants.ErrNotFound) {
		return false, nil
	}
	if err != nil || c.Labels[tenants.LabelInstance] == r.Instance && c.Labels[tenants.LabelSite] == s.ID {
		return false, err // it has just come
	}
	r.find(s.ID, tenants.FindingSiteNameTaken, tenants.LevelTrouble, "container", name)
	return true, nil
}
