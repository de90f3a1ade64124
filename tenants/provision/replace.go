package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// knownDrift are differences that a container has from its creation, because the engine does not support a setting on this
// machine. They are not changes by hand.
type knownDrift struct {
	mu   sync.Mutex
	seen []string
}

func (q *knownDrift) note(names []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seen = append(q.seen, names...)
}

func (q *knownDrift) without(names []string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(q.seen, n) })
}

// oldName is the name of a replaced container that is kept until its successor is healthy.
func oldName(container string) string { return container + tenants.OldSuffix }

// drift returns the settings in which a container differs from its release.
func (p *Plans) drift(ctx context.Context, name string, spec tenants.ContainerSpec) ([]string, error) {
	what, err := p.Engine.Drift(ctx, name, spec)
	return p.quirks.without(what), err
}

// stepReplace makes the containers of the site's release. An existing one with drift is renamed when its successor is made
// and kept until that is healthy: undoing renames it back.
func (p *Plans) stepReplace() operations.Step {
	return operations.Step{
		Name: "container",
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			specs, err := p.specs(ctx, s)
			if err != nil {
				return err
			}
			for _, spec := range specs {
				if err := p.makeRoom(ctx, s, spec); err != nil {
					return err
				}
				if err := p.create(ctx, spec); err != nil {
					return p.preferWaiting(ctx, s, err)
				}
			}
			return nil
		}),
		Undo: p.onSite(p.restoreContainers),
	}
}

// makeRoom renames a container with drift and leaves it running.
func (p *Plans) makeRoom(ctx context.Context, s tenants.Site, spec tenants.ContainerSpec) error {
	have, err := p.Engine.Inspect(ctx, spec.Name)
	if errors.Is(err, tenants.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if have.Labels[tenants.LabelInstance] != p.Instance {
		return operations.Permanent(operations.CauseContradiction, fmt.Errorf("container %s belongs to somebody else", spec.Name))
	}
	what, err := p.drift(ctx, spec.Name, spec)
	if errors.Is(err, tenants.ErrNotFound) { // the image, for the container was there just now
		return operations.Permanent(operations.CauseTemplate, fmt.Errorf("replacing container %s: %w", spec.Name, err))
	}
	if err != nil || len(what) == 0 && have.Labels[tenants.LabelSite] == s.ID {
		return err
	}
	switch gone, err := p.networkGone(ctx, have); {
	case err != nil:
		return err
	case gone:
		return p.Engine.Remove(ctx, spec.Name)
	}
	p.Log.Info("a site's container is not as it must be; replacing it", "site", s.ID, "what", what)
	if _, err := p.Engine.Inspect(ctx, oldName(spec.Name)); err == nil {
		return p.Engine.Remove(ctx, spec.Name) // a try that was cut short: the older one is the one that worked
	}
	return p.Engine.Rename(ctx, spec.Name, oldName(spec.Name))
}

// create makes a container, and records what the engine makes differently. An existing one is success.
func (p *Plans) create(ctx context.Context, spec tenants.ContainerSpec) error {
	if _, err := p.Engine.Inspect(ctx, spec.Name); err == nil || !errors.Is(err, tenants.ErrNotFound) {
		return err
	}
	err := p.Engine.Create(ctx, spec)
	if errors.Is(err, tenants.ErrNotFound) {
		return operations.Permanent(operations.CauseTemplate, err) // its image is gone
	}
	if err != nil {
		return err
	}
	what, err := p.drift(ctx, spec.Name, spec)
	if err == nil && len(what) > 0 {
		p.Log.Warn("the engine made a container otherwise than asked", "container", spec.Name, "what", what)
		p.quirks.note(what)
	}
	return err
}

// restoreContainers renames replaced containers back.
func (p *Plans) restoreContainers(ctx context.Context, _ *operations.Run, s tenants.Site) error {
	for _, c := range s.Release.Containers {
		if err := p.restoreContainer(ctx, c.Container); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plans) restoreContainer(ctx context.Context, name string) error {
	_, err := p.Engine.Inspect(ctx, oldName(name))
	if errors.Is(err, tenants.ErrNotFound) {
		return nil // it had not to: what was made is there by right
	}
	if err != nil {
		return err
	}
	if err := p.Engine.Remove(ctx, name); err != nil {
		return err
	}
	if err := p.Engine.Rename(ctx, oldName(name), name); err != nil {
		return err
	}
	return p.Engine.Start(ctx, name)
}

// stepSwap stops the replaced containers, which use the same sockets as their successors, and starts these.
func (p *Plans) stepSwap() operations.Step {
	return operations.Step{
		Name: "start",
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			for _, c := range slices.Backward(s.Release.Containers) {
				if err := p.Engine.Stop(ctx, oldName(c.Container), stopGrace); err != nil {
					return err
				}
			}
			return p.preferWaiting(ctx, s, p.startContainers(ctx, r, s))
		}),
	}
}

// preferWaiting makes the first failure permanent while a replaced container is still there: rolling back beats retrying. An
// engine that does not answer is no failure of the successor.
func (p *Plans) preferWaiting(ctx context.Context, s tenants.Site, err error) error {
	if err == nil {
		return nil
	}
	for _, c := range s.Release.Containers {
		if _, there := p.Engine.Inspect(ctx, oldName(c.Container)); there == nil {
			return preferPrevious(ctx, err)
		}
	}
	return err
}

// stepProbe waits until the site answers. While a replaced container is still there, the first failure is permanent.
func (p *Plans) stepProbe() operations.Step {
	return operations.Step{
		Name: "ready",
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.preferWaiting(ctx, s, p.awaitReady(ctx, s))
		}),
	}
}

// Halt stops all containers of a site at once, also those of an update that visitors do not reach yet: they use the same
// files and the same database.
func (p *Plans) Halt(ctx context.Context, s tenants.Site) error { return p.stopAll(ctx, s, 0) }

func (p *Plans) stopAll(ctx context.Context, s tenants.Site, grace time.Duration) error {
	found, err := p.containersOf(ctx, s.ID)
	if err != nil {
		return err
	}
	for _, c := range found {
		if err := p.Engine.Stop(ctx, c.Name, grace); err != nil {
			return err
		}
	}
	return nil
}

// removeContainers removes all containers of a site, of whatever release.
func (p *Plans) removeContainers(ctx context.Context, siteID string) error {
	found, err := p.containersOf(ctx, siteID)
	if err != nil {
		return err
	}
	for _, c := range found {
		if err := p.Engine.Remove(ctx, c.Name); err != nil {
			return err
		}
	}
	return nil
}
