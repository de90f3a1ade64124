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

// oldName is the name of a site's container that waits for its successor to prove itself.
func (p *Plans) oldName(siteID string) string { return p.containerName(siteID) + tenants.OldSuffix }

// specOf returns how the site's container must be made, by its template and its record as they are now.
func (p *Plans) specOf(s tenants.Site, opID string) (tenants.ContainerSpec, error) {
	t, err := p.template(s)
	if err != nil {
		return tenants.ContainerSpec{}, err
	}
	spec, err := t.Container(s)
	if err != nil {
		return spec, operations.Permanent(operations.CauseTemplate, err)
	}
	spec.Name, spec.Image = p.containerName(s.ID), s.ImageID
	spec.Labels = map[string]string{
		tenants.LabelInstance: p.Instance, tenants.LabelSite: s.ID, tenants.LabelAssociation: s.AssociationID,
		tenants.LabelTemplate: s.Template, tenants.LabelOperation: opID,
	}
	return spec, nil
}

// unlike names what of a site's container is not as it must be, by hand or because its template has changed since.
func (p *Plans) unlike(ctx context.Context, name string, spec tenants.ContainerSpec) ([]string, error) {
	what, err := p.Engine.Differences(ctx, name, spec)
	return p.quirks.without(what), err
}

// stepReplace makes the container as it must be. One that is there and is not so keeps its place until its successor has
// been made, and waits beside it until that has proved itself: undoing gives it back its place.
func (p *Plans) stepReplace() operations.Step {
	return operations.Step{
		Name: "container",
		Do: p.on(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			spec, err := p.specOf(s, r.Op.ID)
			if err != nil {
				return err
			}
			if err := p.makeRoom(ctx, s, spec); err != nil {
				return err
			}
			return p.rather(ctx, s, p.create(ctx, spec))
		}),
		Undo: p.on(p.restoreContainer),
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
	if _, err := p.Engine.Inspect(ctx, p.oldName(s.ID)); err == nil {
		return p.Engine.Remove(ctx, spec.Name) // a try that was cut short: the older one is the one that worked
	}
	return p.Engine.Rename(ctx, spec.Name, p.oldName(s.ID))
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

// restoreContainer gives a container that had made room its place again.
func (p *Plans) restoreContainer(ctx context.Context, _ *operations.Run, s tenants.Site) error {
	_, err := p.Engine.Inspect(ctx, p.oldName(s.ID))
	if errors.Is(err, tenants.ErrNotFound) {
		return nil // none had to: what was made is there by right
	}
	if err != nil {
		return err
	}
	if err := p.Engine.Remove(ctx, p.containerName(s.ID)); err != nil {
		return err
	}
	if err := p.Engine.Rename(ctx, p.oldName(s.ID), p.containerName(s.ID)); err != nil {
		return err
	}
	return p.Engine.Start(ctx, p.containerName(s.ID))
}

// stepTurn ends the one that waits, since both use the same sockets, and starts its successor.
func (p *Plans) stepTurn() operations.Step {
	return operations.Step{
		Name: "start",
		Do: p.on(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			if err := p.Engine.Stop(ctx, p.oldName(s.ID), stopGrace); err != nil {
				return err
			}
			return p.rather(ctx, s, p.Engine.Start(ctx, p.containerName(s.ID)))
		}),
	}
}

// rather makes one failure enough when an older container waits: visitors are better served by that one. An engine that
// does not answer says nothing of the successor.
func (p *Plans) rather(ctx context.Context, s tenants.Site, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, tenants.ErrUnavailable) {
		return err
	}
	if _, there := p.Engine.Inspect(ctx, p.oldName(s.ID)); there != nil {
		return err
	}
	return operations.Permanent(operations.CauseTemplate, err)
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

// stepRetire removes the older container, which nothing needs any more.
func (p *Plans) stepRetire() operations.Step {
	return operations.Step{
		Name: "retire",
		Do: p.on(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.Engine.Remove(ctx, p.oldName(s.ID))
		}),
	}
}

// removeContainers removes a site's container and one that waits beside it.
func (p *Plans) removeContainers(ctx context.Context, siteID string) error {
	if err := p.Engine.Remove(ctx, p.oldName(siteID)); err != nil {
		return err
	}
	return p.Engine.Remove(ctx, p.containerName(siteID))
}
