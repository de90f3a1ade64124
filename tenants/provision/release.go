package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

// newSiteBytes is the room a release is sure to need, in bytes: its image, or the files, tables and first uploads of a new site.
const newSiteBytes = 256 << 20

// definitions keeps what releases fix. A release never changes, so what was read once stays true.
type definitions struct {
	mu   sync.Mutex
	byID map[string]tenants.Definition
}

// maxDefinitions bounds what is kept; beyond it everything is read again.
const maxDefinitions = 4096

// Definition returns what a site's release fixes; ErrNotFound for a site without one.
func (p *Plans) Definition(ctx context.Context, s tenants.Site) (tenants.Definition, error) {
	if s.Release.ID == "" {
		return tenants.Definition{}, fmt.Errorf("finding the release of site %s: %w", s.ID, tenants.ErrNotFound)
	}
	p.definitions.mu.Lock()
	defer p.definitions.mu.Unlock()
	if d, known := p.definitions.byID[s.Release.ID]; known {
		return d, nil
	}
	d, err := p.Records.Definition(ctx, s.Release.ID)
	if err != nil {
		return d, err
	}
	if p.definitions.byID == nil || len(p.definitions.byID) >= maxDefinitions {
		p.definitions.byID = map[string]tenants.Definition{}
	}
	p.definitions.byID[s.Release.ID] = d
	return d, nil
}

// define returns the release that would be made of the site's template now, under the number, sockets and data of r.
func (p *Plans) define(s tenants.Site, r tenants.Release, images map[string]string) (tenants.Release, tenants.Definition, error) {
	r, d, err := p.Templates.Define(s, r, images)
	if err != nil {
		return r, d, err
	}
	if len(r.Containers) != len(d.Containers) {
		return r, d, fmt.Errorf("%d containers with %d specifications: %w", len(r.Containers), len(d.Containers), tenants.ErrInvalid)
	}
	for i := range r.Containers {
		r.Containers[i].Container = p.containerName(s.ID, r.Number, r.Containers[i].Name)
		d.Containers[i].Name, d.Containers[i].Image = r.Containers[i].Container, r.Containers[i].ImageID
		if owner := d.Containers[i].NetworkOwner(); owner != "" {
			d.Containers[i].Network = tenants.NetworkOf(p.containerName(s.ID, r.Number, owner))
		}
		d.Containers[i].Labels = map[string]string{
			tenants.LabelInstance: p.Instance, tenants.LabelSite: s.ID, tenants.LabelAssociation: s.AssociationID,
			tenants.LabelTemplate: s.Template, tenants.LabelRelease: strconv.Itoa(r.Number), tenants.LabelOperation: r.OperationID,
		}
	}
	return r, d, nil
}

// containerName is deterministic, so that a step finds its own work again.
func (p *Plans) containerName(siteID string, number int, container string) string {
	return fmt.Sprintf("chatiere-%s-%s-%d-%s", p.Instance, siteID, number, container)
}

// createRelease records the release that the site's template gives now in a mode, made of the images, and returns it.
// Repeating it within one operation returns the same.
func (p *Plans) createRelease(ctx context.Context, s tenants.Site, version, mode string, images map[string]string, opID string) (tenants.Release, error) {
	number, err := p.Records.NextRelease(ctx, s.ID)
	if err != nil {
		return tenants.Release{}, err
	}
	r, d, err := p.define(s, tenants.Release{
		ID: tenants.NewReleaseID(), SiteID: s.ID, Number: number, Template: s.Template, Version: version, Mode: mode,
		Generation: max(s.Release.Generation, 1), Sockets: "r" + strconv.Itoa(number), CreatedAt: p.Now().UTC(), OperationID: opID,
	}, images)
	if err != nil {
		return r, permanentUnlessTransient(err)
	}
	return r, p.Records.CreateRelease(ctx, &r, d)
}

// permanentUnlessTransient: a template that cannot be resolved will not be by the next try.
func permanentUnlessTransient(err error) error {
	if errors.Is(err, tenants.ErrUnavailable) {
		return err
	}
	return operations.Permanent(operations.CauseTemplate, err)
}

// ensureRelease gives a site its first release: of its template's default version, in a mode ("": the template's first), with
// images that are built where they are missing. A site that has one keeps it.
func (p *Plans) ensureRelease(ctx context.Context, s tenants.Site, mode, opID string) (tenants.Site, error) {
	if s.Release.ID != "" {
		return s, nil
	}
	version, err := p.Templates.Latest(s.Template)
	if err != nil {
		return s, permanentUnlessTransient(err)
	}
	images, err := p.images(ctx, s.Template, version)
	if err != nil {
		return s, err
	}
	if s.Release, err = p.createRelease(ctx, s, version, mode, images, opID); err != nil {
		return s, err
	}
	return s, p.Records.SetRelease(ctx, s.Release)
}

// images finds the images of a version and builds what is missing. They stay when the operation is undone: all sites of the
// template share them.
func (p *Plans) images(ctx context.Context, template, version string) (map[string]string, error) {
	images, err := p.Templates.Images(ctx, template, version, io.Discard)
	if errors.Is(err, tenants.ErrNotFound) {
		return nil, operations.Permanent(operations.CauseTemplate, err)
	}
	if err != nil {
		return nil, fmt.Errorf("finding the images of %s %s: %w", template, version, err)
	}
	return images, nil
}

// specs returns how the containers of the site's release are made, in the order in which they are started.
func (p *Plans) specs(ctx context.Context, s tenants.Site) ([]tenants.ContainerSpec, error) {
	d, err := p.Definition(ctx, s)
	return d.Containers, err
}

// Record gives a live site that was made before there were releases its first one, recorded from its container as that is;
// for one without a container, from its template and the image it was made of. The container keeps its name, its sockets
// their place.
func (p *Plans) Record(ctx context.Context, s tenants.Site, version, imageID string) error {
	t := tenants.Release{
		ID: tenants.NewReleaseID(), SiteID: s.ID, Number: 1, Template: s.Template, Version: version, Generation: 1,
		CreatedAt: p.Now().UTC(),
	}
	name := FirstContainerName(p.Instance, s.ID)
	spec, err := p.Engine.Specification(ctx, name)
	there := err == nil
	if err != nil && !errors.Is(err, tenants.ErrNotFound) {
		return err
	}
	t, d, err := p.Templates.Define(s, t, map[string]string{"": imageID})
	if err != nil {
		return err
	}
	if len(t.Containers) != 1 {
		return fmt.Errorf("recording the release of site %s: its template has %d containers: %w", s.ID, len(t.Containers), tenants.ErrInvalid)
	}
	if !there {
		spec = d.Containers[0]
		spec.Name, spec.Image = name, imageID
		spec.Labels = map[string]string{
			tenants.LabelInstance: p.Instance, tenants.LabelSite: s.ID, tenants.LabelAssociation: s.AssociationID,
			tenants.LabelTemplate: s.Template,
		}
	}
	t.Containers[0].Container, t.Containers[0].ImageID = name, spec.Image
	d.Containers = []tenants.ContainerSpec{spec}
	// Both or none: a first release that no site names would keep its number from the next try, for ever.
	return p.Records.Transact(ctx, func(ctx context.Context) error {
		if err := p.Records.CreateRelease(ctx, &t, d); err != nil {
			return err
		}
		return p.Records.SetRelease(ctx, t)
	})
}

// FirstContainerName returns the name of the one container that a site had before there were releases.
func FirstContainerName(instance, siteID string) string { return "chatiere-" + instance + "-" + siteID }

// sameDefinition reports whether two releases would run alike. Names and labels tell which release a container is of, not
// how it runs.
func sameDefinition(a, b tenants.Definition) bool {
	if len(a.Containers) != len(b.Containers) || a.Ready != b.Ready || a.CronEvery != b.CronEvery || !reflect.DeepEqual(a.Hooks, b.Hooks) {
		return false
	}
	for i := range a.Containers {
		if !reflect.DeepEqual(normalized(a.Containers[i]), normalized(b.Containers[i])) {
			return false
		}
	}
	return true
}

// normalized returns a specification without what differs between equal ones.
func normalized(c tenants.ContainerSpec) tenants.ContainerSpec {
	c.Name, c.Labels = "", nil
	c.Env = slices.Sorted(slices.Values(c.Env))
	c.Mounts = slices.SortedFunc(slices.Values(c.Mounts), func(a, b tenants.Mount) int { return strings.Compare(a.Target, b.Target) })
	if len(c.Tmpfs) == 0 {
		c.Tmpfs = nil
	}
	if len(c.Sysctls) == 0 {
		c.Sysctls = nil
	}
	return c
}

// updates notes on every site's record whether a release made now would differ from the one it has. Nothing is built for
// that: a version whose images are not there would differ.
func (r *Reconciler) updates(ctx context.Context, sites []tenants.Site) error {
	type version struct{ template, version string }
	type answer struct {
		images map[string]string
		err    error
	}
	asked := map[version]answer{}
	var faults []error
	for _, s := range sites {
		if s.Release.ID == "" {
			continue // not made yet
		}
		of := version{s.Release.Template, s.Release.Version}
		a, known := asked[of]
		if !known {
			a.images, a.err = r.Templates.Built(ctx, of.template, of.version)
			asked[of] = a
			if a.err != nil && !errors.Is(a.err, tenants.ErrNotFound) {
				faults = append(faults, fmt.Errorf("looking for the images of %s %s: %w", of.template, of.version, a.err))
			}
		}
		if a.err != nil {
			continue
		}
		available, err := r.updatable(ctx, s, a.images)
		if err == nil && available != s.UpdateAvailable {
			err = r.Records.SaveUpdateAvailable(ctx, s.ID, s.Release.ID, available)
		}
		if err != nil && !errors.Is(err, tenants.ErrNotFound) {
			faults = append(faults, fmt.Errorf("comparing site %s with its template: %w", s.ID, err))
		}
	}
	return errors.Join(faults...)
}

// updatable compares a site's release with what its template gives now; images is nil when they would have to be built.
func (r *Reconciler) updatable(ctx context.Context, s tenants.Site, images map[string]string) (bool, error) {
	if images == nil {
		return true, nil
	}
	have, err := r.Definition(ctx, s)
	if err != nil {
		return false, err
	}
	_, now, err := r.define(s, s.Release, images)
	if err != nil {
		return false, err
	}
	return !sameDefinition(have, now), nil
}
