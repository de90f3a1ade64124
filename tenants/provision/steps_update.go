package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// newImages is what an update's first step found: the images of the release it makes, by container.
type newImages struct {
	Images map[string]string `json:"images"`
}

// releaseChange is what an update keeps of the release that a site had and of the one it gets. They are the same where the
// site has what its template gives already.
type releaseChange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// stepNewImages finds the images that a release of the site would be made of now, and builds those that are not there.
// Nothing of the site is touched meanwhile.
func (p *Plans) stepNewImages() operations.Step {
	return operations.Step{
		Name: "image", Cancellable: true, // a build takes minutes
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			if s.Release.ID == "" {
				return operations.Permanent(operations.CauseContradiction, fmt.Errorf("site %s has no release to update", s.ID))
			}
			if err := p.Disk.Room(ctx, newSiteBytes); err != nil {
				return err
			}
			images, err := p.images(ctx, s.Template, s.Release.Version)
			if err != nil {
				return err
			}
			return r.SetResult(newImages{images})
		}),
	}
}

// stepNewRelease records the new release, unless it would be like the one that the site has.
func (p *Plans) stepNewRelease() operations.Step {
	return operations.Step{
		Name: "release",
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var found newImages
			if ok, err := r.Result("image", &found); err != nil || !ok {
				return operations.Permanent(operations.CauseContradiction, errors.Join(errors.New("the update does not know its images"), err))
			}
			have, err := p.Definition(ctx, s)
			if err != nil {
				return err
			}
			var w Spec
			if err := r.Spec(&w); err != nil {
				return err
			}
			next := s.Release
			next.Mode = cmp.Or(w.Mode, s.Release.Mode)
			next, now, err := p.define(s, next, found.Images)
			if err != nil {
				return permanentUnlessTransient(err)
			}
			to := s.Release
			if next.Mode != s.Release.Mode || !sameDefinition(have, now) {
				if to, err = p.createRelease(ctx, s, s.Release.Version, next.Mode, found.Images, r.Op.ID); err != nil {
					return err
				}
			}
			return r.SetResult(releaseChange{From: s.Release.ID, To: to.ID})
		}),
		Undo: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			return p.Records.DeleteRelease(ctx, s.ID, r.Op.ID)
		}),
	}
}

// onNew calls fn with the site as it will be, when the update makes a new release.
func (p *Plans) onNew(fn siteFunc) func(context.Context, *operations.Run) error {
	return p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
		var change releaseChange
		if ok, err := r.Result("release", &change); err != nil || !ok {
			return operations.Permanent(operations.CauseContradiction, errors.Join(errors.New("the update does not know its releases"), err))
		}
		if change.To == change.From {
			return nil
		}
		var err error
		if s.Release, err = p.Records.Release(ctx, change.To); err != nil {
			return err
		}
		return fn(ctx, r, s)
	})
}

func (p *Plans) stepNewSockets() operations.Step {
	return operations.Step{
		Name: "sockets",
		Do: p.onNew(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.Disk.EnsureSockets(ctx, s)
		}),
		Undo: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.Disk.RetireSockets(ctx, s)
		}),
	}
}

func (p *Plans) stepNewContainers() operations.Step {
	return operations.Step{
		Name: "container",
		Do: p.onNew(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			return preferPrevious(ctx, p.createContainers(ctx, s))
		}),
		Undo: p.onSite(p.removeOthers),
	}
}

// stepNewStart starts the new release beside the old one; where two must not run on the same data, in its place.
func (p *Plans) stepNewStart() operations.Step {
	return operations.Step{
		Name: "start",
		Do: p.onNew(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			old, err := p.site(ctx, r)
			if err != nil {
				return err
			}
			if old.Release.Exclusive() || s.Release.Exclusive() {
				if err := p.stopContainers(ctx, r, old); err != nil {
					return err
				}
			}
			return preferPrevious(ctx, p.startContainers(ctx, r, s))
		}),
		Undo: p.onNew(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			old, err := p.site(ctx, r)
			if err != nil || !old.Release.Exclusive() && !s.Release.Exclusive() {
				return err
			}
			if err := p.stopContainers(ctx, r, s); err != nil {
				return err
			}
			return p.startContainers(ctx, r, old)
		}),
	}
}

// stepNewReady waits until the new release answers on its own socket.
func (p *Plans) stepNewReady() operations.Step {
	return operations.Step{
		Name: "ready",
		Do: p.onNew(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			return preferPrevious(ctx, p.awaitReady(ctx, s))
		}),
	}
}

// preferPrevious makes one failure enough: visitors are served by the release they have. An engine that does not answer
// says nothing of the new one.
func preferPrevious(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, tenants.ErrUnavailable) {
		return err
	}
	return operations.Permanent(operations.CauseTemplate, err)
}

// stepSwitch leads visitors to the new release, and gives it the way out, which the old one loses. It waits until the proxy
// does so: what is stopped before would be asked for still.
func (p *Plans) stepSwitch() operations.Step {
	write := func(ctx context.Context, s tenants.Site) error {
		if err := p.Records.SetRelease(ctx, s.Release); err != nil {
			return err
		}
		if err := p.Egress.Publish(ctx, s); err != nil {
			return err
		}
		return p.Routes.Publish(ctx)
	}
	return operations.Step{
		Name: "switch",
		Do:   p.onNew(func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return write(ctx, s) }),
		Verify: p.onNew(func(ctx context.Context, _ *operations.Run, _ tenants.Site) error {
			if err := p.Routes.Await(ctx); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(p.Drain):
				return nil
			}
		}),
		Undo: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var change releaseChange
			if ok, err := r.Result("release", &change); err != nil || !ok || change.From == change.To {
				return err
			}
			// Also when the record is back already: a try that was cut short may not have told the proxy.
			var err error
			if s.Release, err = p.Records.Release(ctx, change.From); err != nil {
				return err
			}
			return errors.Join(write(ctx, s), p.Routes.Await(ctx))
		}),
	}
}

// stepRemovePrevious removes what is not of the site's release: the containers that waited or served before it, and their sockets.
func (p *Plans) stepRemovePrevious() operations.Step {
	return operations.Step{
		Name: "retire",
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			if err := p.removeOthers(ctx, r, s); err != nil {
				return err
			}
			return p.Disk.RetireSockets(ctx, s)
		}),
	}
}

// removeOthers ends and removes the site's containers that are not of its release. They get the time to finish what they
// serve. Of a site without a release nothing is removed: its only container is not of one either.
func (p *Plans) removeOthers(ctx context.Context, _ *operations.Run, s tenants.Site) error {
	if s.Release.ID == "" {
		return nil
	}
	found, err := p.containersOf(ctx, s.ID)
	if err != nil {
		return err
	}
	for _, c := range found {
		if slices.ContainsFunc(s.Release.Containers, func(r tenants.ReleaseContainer) bool { return r.Container == c.Name }) {
			continue
		}
		if err := p.Engine.Stop(ctx, c.Name, stopGrace); err != nil {
			return err
		}
		if err := p.Engine.Remove(ctx, c.Name); err != nil {
			return err
		}
	}
	return nil
}

// containersOf lists all containers that bear the site's label.
func (p *Plans) containersOf(ctx context.Context, siteID string) ([]tenants.ContainerSummary, error) {
	found, err := p.Engine.List(ctx, map[string]string{tenants.LabelInstance: p.Instance, tenants.LabelSite: siteID})
	if err != nil {
		return nil, fmt.Errorf("listing the containers of site %s: %w", siteID, err)
	}
	return found, nil
}

// noUpdateAvailable notes that the site has what it was updated to, at the end of an update.
func (p *Plans) noUpdateAvailable(ctx context.Context, r *operations.Run) error {
	return p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
		return p.Records.SaveUpdateAvailable(ctx, s.ID, s.Release.ID, false)
	})(ctx, r)
}
