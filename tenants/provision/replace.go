package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// quirks are differences that a container has from its very making: what the engine cannot do on this machine, and so
// answers otherwise than it was asked. They are no change by hand.
type quirks struct {
	mu   sync.Mutex
	seen []string
}

func (q *quirks) note(names []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seen = append(q.seen, names...)
}

func (q *quirks) without(names []string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(q.seen, n) })
}

// oldName is the name of a container that waits for its successor to prove itself.
func oldName(container string) string { return container + tenants.OldSuffix }

// unlike names what of a container is not as its release says.
func (p *Plans) unlike(ctx context.Context, name string, spec tenants.ContainerSpec) ([]string, error) {
	what, err := p.Engine.Differences(ctx, name, spec)
	return p.quirks.without(what), err
}

// stepReplace makes the containers of the site's release as they must be. One that is there and is not so keeps its place
// until its successor has been made, and waits beside it until that has proved itself: undoing gives it back its place.
func (p *Plans) stepReplace() operations.Step {
	return operations.Step{
		Name: "container",
		Do: p.on(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			specs, err := p.specs(ctx, s)
			if err != nil {
				return err
			}
			for _, spec := range specs {
				if err := p.makeRoom(ctx, s, spec); err != nil {
					return err
				}
				if err := p.create(ctx, spec); err != nil {
					return p.rather(ctx, s, err)
				}
			}
			return nil
		}),
		Undo: p.on(p.restoreContainers),
	}
}

// makeRoom takes a container that is not as it must be out of the way, and leaves it running.
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
	what, err := p.unlike(ctx, spec.Name, spec)
	if errors.Is(err, tenants.ErrNotFound) { // the image, for the container was there just now
		return operations.Permanent(operations.CauseTemplate, fmt.Errorf("replacing container %s: %w", spec.Name, err))
	}
	if err != nil || len(what) == 0 && have.Labels[tenants.LabelSite] == s.ID {
		return err
	}
	p.Log.Info("a site's container is not as it must be; replacing it", "site", s.ID, "what", what)
	if _, err := p.Engine.Inspect(ctx, oldName(spec.Name)); err == nil {
		return p.Engine.Remove(ctx, spec.Name) // a try that was cut short: the older one is the one that worked
	}
	return p.Engine.Rename(ctx, spec.Name, oldName(spec.Name))
}

// create makes a container, and learns what the engine makes otherwise than asked. One that is there already is success.
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
	what, err := p.unlike(ctx, spec.Name, spec)
	if err == nil && len(what) > 0 {
		p.Log.Warn("the engine made a container otherwise than asked", "container", spec.Name, "what", what)
		p.quirks.note(what)
	}
	return err
}

// restoreContainers gives containers that had made room their place again.
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

// stepTurn ends those that wait, since they use the same sockets as their successors, and starts these.
func (p *Plans) stepTurn() operations.Step {
	return operations.Step{
		Name: "start",
		Do: p.on(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			for _, c := range slices.Backward(s.Release.Containers) {
				if err := p.Engine.Stop(ctx, oldName(c.Container), stopGrace); err != nil {
					return err
				}
			}
			for _, c := range s.Release.Containers {
				if err := p.Engine.Start(ctx, c.Container); err != nil {
					return p.rather(ctx, s, err)
				}
			}
			return nil
		}),
	}
}

// rather makes one failure enough when an older container waits: visitors are better served by that one. An engine that
// does not answer says nothing of the successor.
func (p *Plans) rather(ctx context.Context, s tenants.Site, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, tenants.ErrUnavailable) {
		return err
	}
	for _, c := range s.Release.Containers {
		if _, there := p.Engine.Inspect(ctx, oldName(c.Container)); there == nil {
			return operations.Permanent(operations.CauseTemplate, err)
		}
	}
	return err
}

// stepProve waits until the site answers. When an older container waits beside it, one failure is enough: visitors are
// better served by that one.
func (p *Plans) stepProve() operations.Step {
	ready := p.stepReady().Do
	return operations.Step{
		Name: "ready",
		Do: func(ctx context.Context, r *operations.Run) error {
			err := ready(ctx, r)
			if err == nil || ctx.Err() != nil {
				return err
			}
			return p.on(func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return p.rather(ctx, s, err) })(ctx, r)
		},
	}
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
