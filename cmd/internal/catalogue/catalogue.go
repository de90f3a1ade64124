// Package catalogue connects the templates to the use cases: it resolves a template for a site, and builds missing images.
// Start reading at Catalogue.
package catalogue

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"chatiere/templates"
	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// baseImages are the images that templates build on, by the name a manifest gives them.
var baseImages = map[string]string{"php": "chatiere/php:trixie", "debian": "chatiere/base:trixie"}

const timeZone = "Europe/Paris"

// Settings are the co-op's settings for its sites.
type Settings struct {
	Root     string
	Language string                   // "fr" or "en"
	URL      func(host string) string // public address of a site
	Limits   templates.Limits         // replace the template's where they are not zero
	Allow    []templates.Name         // names every site may reach
}

// Catalogue implements provision.Templates.
type Catalogue struct {
	templates templates.Catalogue
	settings  Settings
	engine    tenants.Engine // nil where no image is ever asked for, in the panel

	building chan struct{} // full while one builds: two sites of a new version must not build it twice
}

var _ provision.Templates = (*Catalogue)(nil)

// New returns a catalogue over checked templates.
func New(t templates.Catalogue, s Settings, e tenants.Engine) *Catalogue {
	return &Catalogue{templates: t, settings: s, engine: e, building: make(chan struct{}, 1)}
}

// Names lists the templates in alphabetical order.
func (c *Catalogue) Names() []string { return c.templates.Names() }

// Manifest returns the manifest of a template.
func (c *Catalogue) Manifest(name string) (templates.Manifest, error) {
	t, err := c.template(name)
	return t.Manifest, err
}

func (c *Catalogue) template(name string) (templates.Template, error) {
	t, err := c.templates.Template(name)
	if errors.Is(err, templates.ErrUnknown) {
		return t, fmt.Errorf("%w: %w", tenants.ErrNotFound, err)
	}
	return t, err
}

// release finds a template that has the version.
func (c *Catalogue) release(name, version string) (templates.Template, error) {
	t, err := c.template(name)
	if err != nil {
		return t, err
	}
	if _, err := t.Version(version); err != nil {
		return t, fmt.Errorf("%w: %w", tenants.ErrNotFound, err)
	}
	return t, nil
}

// Latest returns the version that a new site gets.
func (c *Catalogue) Latest(name string) (string, error) {
	t, err := c.template(name)
	if err != nil {
		return "", err
	}
	v, err := t.Version("")
	return v.Name, err
}

// Modes lists the modes that sites of a template may have, the first being that of new ones.
func (c *Catalogue) Modes(name string) ([]string, error) {
	t, err := c.template(name)
	return t.Modes, err
}

// Has reports whether there is such a version.
func (c *Catalogue) Has(name, version string) bool {
	_, err := c.release(name, version)
	return err == nil
}

// Refuse returns the patterns of paths that a site's template refuses.
func (c *Catalogue) Refuse(s tenants.Site) ([]string, error) {
	t, err := c.template(s.Template)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range t.Refuse {
		out = append(out, r.Path)
	}
	return out, nil
}

// Allow returns the names that a site may reach: its template's and the co-op's.
func (c *Catalogue) Allow(s tenants.Site) ([]templates.Name, error) {
	t, err := c.template(s.Template)
	if err != nil {
		return nil, err
	}
	return append(append([]templates.Name(nil), t.Egress...), c.settings.Allow...), nil
}

// Everywhere returns the names that every site may reach: the co-op's.
func (c *Catalogue) Everywhere() []templates.Name { return c.settings.Allow }

// Images returns the content ids of the version's images by container, building or pulling those that are not there.
func (c *Catalogue) Images(ctx context.Context, name, version string, progress io.Writer) (map[string]string, error) {
	select {
	case c.building <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another build: %w", ctx.Err())
	}
	defer func() { <-c.building }()
	return c.images(ctx, name, version, func(i templates.Image) (string, error) {
		if i.Reference != "" {
			return c.engine.Pull(ctx, i.Reference, progress)
		}
		return c.engine.Build(ctx, i.Tag, i.Dockerfile, bytes.NewReader(i.Context), i.Arguments, progress)
	})
}

// Built returns what Images would return at once, nil when it would have to build or pull first. It does not wait for a build.
func (c *Catalogue) Built(ctx context.Context, name, version string) (map[string]string, error) {
	missing := errors.New("not built")
	images, err := c.images(ctx, name, version, func(templates.Image) (string, error) { return "", missing })
	if errors.Is(err, missing) {
		return nil, nil
	}
	return images, err
}

// images finds what the version's images are built of now; the tag of each tells it from everything it was built of before.
func (c *Catalogue) images(ctx context.Context, name, version string, get func(templates.Image) (string, error)) (map[string]string, error) {
	t, err := c.release(name, version)
	if err != nil {
		return nil, err
	}
	bases, err := c.bases(ctx, t, version)
	if err != nil {
		return nil, err
	}
	images, err := templates.Images(t, version, bases)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(images))
	for _, i := range images {
		id, err := c.find(ctx, i)
		if errors.Is(err, tenants.ErrNotFound) {
			id, err = get(i)
		}
		if err != nil {
			return nil, err
		}
		ids[i.Container] = id
	}
	return ids, nil
}

func (c *Catalogue) bases(ctx context.Context, t templates.Template, version string) (map[string]string, error) {
	names, err := templates.Bases(t, version)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, name := range names {
		ref := baseImages[name]
		if ref == "" {
			continue // a name that no image of ours has, which templates.Images tells
		}
		if ids[name], err = c.engine.ImageID(ctx, ref); err != nil {
			return nil, fmt.Errorf("finding the base image %s: %w", ref, err)
		}
	}
	return ids, nil
}

// find returns the content id of an image that is there. A ready image that was loaded from a file has no digest of a
// registry: its reference may give its content id instead.
func (c *Catalogue) find(ctx context.Context, i templates.Image) (string, error) {
	id, err := c.engine.ImageID(ctx, cmp.Or(i.Reference, i.Tag))
	if _, digest, pinned := strings.Cut(i.Reference, "@"); pinned && errors.Is(err, tenants.ErrNotFound) {
		return c.engine.ImageID(ctx, digest)
	}
	return id, err
}

// Define completes a release of the site as its template makes it now: see provision.Templates.
func (c *Catalogue) Define(s tenants.Site, r tenants.Release, images map[string]string) (tenants.Release, tenants.Definition, error) {
	t, err := c.release(s.Template, r.Version)
	if err != nil {
		return r, tenants.Definition{}, err
	}
	used := map[string]string{}
	maps.Copy(used, images)
	for _, container := range t.Containers {
		used[container.Name] = cmp.Or(images[container.Name], images[""])
	}
	spec, err := templates.Resolve(t, r.Version, templates.Values{
		SiteID: s.ID, UID: s.UID, Host: s.Host, URL: c.settings.URL(s.Host), Database: tenants.DatabaseName(s.ID, r.Generation),
		Language: c.locale(), TimeZone: timeZone, Paths: c.paths(s, r), Images: used, Limits: c.settings.Limits, Mode: r.Mode,
	})
	if err != nil {
		return r, tenants.Definition{}, err
	}
	r.Mode, r.DatabaseEngine, r.Places, r.Containers = spec.Mode, databaseEngines[spec.Database.Engine], spec.Places, nil
	d := tenants.Definition{Ready: tenants.Page(t.Probes.Ready), CronEvery: time.Duration(t.Hooks["cron"].Every)}
	front := spec.Front().Name
	for _, container := range spec.Containers {
		r.Containers = append(r.Containers, tenants.ReleaseContainer{
			Name: container.Name, ImageID: container.Image, Front: container.Name == front, Foreign: container.Foreign,
		})
		d.Containers = append(d.Containers, containerSpec(container))
	}
	for _, h := range spec.Hooks {
		hook := tenants.Hook{Name: h.Name, Command: h.Command, Timeout: h.Timeout}
		if h.Container != front {
			hook.Container = h.Container
		}
		d.Hooks = append(d.Hooks, hook)
	}
	return r, d, nil
}

// databaseEngines are the engines of releases, by those of manifests.
var databaseEngines = map[string]string{
	templates.MariaDB: "", templates.PostgreSQL: tenants.DatabasePostgreSQL, templates.NoDatabase: tenants.DatabaseNone,
}

func (c *Catalogue) locale() string {
	if c.settings.Language == "en" {
		return "en_GB.UTF-8"
	}
	return "fr_FR.UTF-8"
}

// paths are the places of a release: data and sockets are its own, the others its site's.
func (c *Catalogue) paths(s tenants.Site, r tenants.Release) templates.Paths {
	paths := templates.PathsUnder(c.settings.Root, s.ID)
	paths.Data = filepath.Join(filepath.Dir(paths.Data), tenants.DataDirectory(r.Generation))
	for _, dir := range []*string{&paths.HTTP, &paths.Gate} {
		*dir = filepath.Join(filepath.Dir(*dir), r.Sockets, filepath.Base(*dir))
	}
	return paths
}

func containerSpec(c templates.ContainerSpec) tenants.ContainerSpec {
	out := tenants.ContainerSpec{
		Image: c.Image, Entrypoint: c.Entrypoint, Command: c.Command, User: c.User, Env: c.Environment, Tmpfs: map[string]string{}, Network: c.Network, Sysctls: c.Sysctls,
		ReadOnlyRoot: c.ReadOnlyRoot, MemoryBytes: int64(c.Limits.Memory), PidsLimit: int64(c.Limits.Pids),
		NanoCPUs: int64(c.Limits.CPUs * float64(time.Second)), RestartPolicy: c.Restart,
	}
	if c.Network != "none" {
		out.Network = tenants.NetworkOf(c.Network)
	}
	for _, m := range c.Mounts {
		out.Mounts = append(out.Mounts, tenants.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	for _, m := range c.Tmpfs {
		out.Tmpfs[m.Target] = m.Options
	}
	return out
}
