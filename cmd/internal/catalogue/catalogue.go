// Package catalogue joins the templates to the use cases: it resolves a template for a site of ours, and builds the
// images that are missing. Start reading at Catalogue.
package catalogue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"chatiere/templates"
	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// baseImages are the images that templates build on, by the name a manifest gives them.
var baseImages = map[string]string{"php": "chatiere/php:trixie"}

const (
	// freshSite is the room a new site is sure to need before anybody writes on it: files, tables, the first uploads.
	freshSite = 256 << 20
	timeZone  = "Europe/Paris"
)

// Settings are what makes sites of this co-op differ from those of another.
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

	mu sync.Mutex // one build at a time: two sites of a new version must not build it twice
}

var _ provision.Templates = (*Catalogue)(nil)

// New returns a catalogue over checked templates.
func New(t templates.Catalogue, s Settings, e tenants.Engine) *Catalogue {
	return &Catalogue{templates: t, settings: s, engine: e}
}

// Names lists the templates in alphabetical order.
func (c *Catalogue) Names() []string { return c.templates.Names() }

// Manifest returns what a template says of itself.
func (c *Catalogue) Manifest(name string) (templates.Manifest, error) {
	t, err := c.find(name)
	return t.Manifest, err
}

func (c *Catalogue) find(name string) (templates.Template, error) {
	t, err := c.templates.Template(name)
	if errors.Is(err, templates.ErrUnknown) {
		return t, fmt.Errorf("%w: %w", tenants.ErrNotFound, err)
	}
	return t, err
}

// release finds a template that has the version.
func (c *Catalogue) release(name, version string) (templates.Template, error) {
	t, err := c.find(name)
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
	t, err := c.find(name)
	if err != nil {
		return "", err
	}
	v, err := t.Version("")
	return v.Name, err
}

// Template returns one version of a template.
func (c *Catalogue) Template(name, version string) (provision.Template, error) {
	t, err := c.release(name, version)
	if err != nil {
		return nil, err
	}
	return recipe{template: t, version: version, settings: c.settings}, nil
}

// Refuse returns the patterns of paths that a site's template refuses.
func (c *Catalogue) Refuse(s tenants.Site) ([]string, error) {
	t, err := c.find(s.Template)
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
	t, err := c.find(s.Template)
	if err != nil {
		return nil, err
	}
	return append(append([]templates.Name(nil), t.Egress...), c.settings.Allow...), nil
}

// Everywhere returns the names that every site may reach: the co-op's.
func (c *Catalogue) Everywhere() []templates.Name { return c.settings.Allow }

// Image returns the content id of the version's image, building it first when it is not there.
func (c *Catalogue) Image(ctx context.Context, name, version string, progress io.Writer) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	image, err := c.image(ctx, name, version)
	if err != nil {
		return "", err
	}
	id, err := c.engine.ImageID(ctx, image.Tag)
	if errors.Is(err, tenants.ErrNotFound) {
		return c.engine.Build(ctx, image.Tag, bytes.NewReader(image.Context), image.Arguments, progress)
	}
	return id, err
}

// Built returns the content id that Image would return at once, "" when it would have to build first. It does not wait
// for a build.
func (c *Catalogue) Built(ctx context.Context, name, version string) (string, error) {
	image, err := c.image(ctx, name, version)
	if err != nil {
		return "", err
	}
	id, err := c.engine.ImageID(ctx, image.Tag)
	if errors.Is(err, tenants.ErrNotFound) {
		return "", nil
	}
	return id, err
}

// image returns what the version's image is built of now; its tag tells that from everything it was built of before.
func (c *Catalogue) image(ctx context.Context, name, version string) (templates.Image, error) {
	t, err := c.release(name, version)
	if err != nil {
		return templates.Image{}, err
	}
	bases := map[string]string{}
	for base, ref := range baseImages {
		if bases[base], err = c.engine.ImageID(ctx, ref); err != nil {
			return templates.Image{}, fmt.Errorf("finding the base image %s: %w", ref, err)
		}
	}
	images, err := templates.Images(t, version, bases)
	if err != nil {
		return templates.Image{}, err
	}
	if len(images) != 1 {
		return templates.Image{}, fmt.Errorf("template %s has %d images to build, want one: %w", name, len(images), tenants.ErrInvalid)
	}
	return images[0], nil
}

// recipe is one version of a template, for any site.
type recipe struct {
	template templates.Template
	version  string
	settings Settings
}

func (r recipe) resolve(s tenants.Site) (templates.Spec, error) {
	images := map[string]string{}
	for _, c := range r.template.Containers {
		images[c.Name] = s.ImageID
	}
	locale := "fr_FR.UTF-8"
	if r.settings.Language == "en" {
		locale = "en_GB.UTF-8"
	}
	return templates.Resolve(r.template, r.version, templates.Values{
		SiteID: s.ID, UID: s.UID, Host: s.Host, URL: r.settings.URL(s.Host), Database: s.Database(), Language: locale,
		TimeZone: timeZone, Paths: templates.PathsUnder(r.settings.Root, s.ID), Images: images, Limits: r.settings.Limits,
	})
}

// Container returns how the site's container is made.
func (r recipe) Container(s tenants.Site) (tenants.ContainerSpec, error) {
	spec, err := r.resolve(s)
	if err != nil {
		return tenants.ContainerSpec{}, err
	}
	c := spec.Front()
	out := tenants.ContainerSpec{
		Image: c.Image, User: c.User, Env: c.Environment, Tmpfs: map[string]string{}, Network: c.Network, Sysctls: c.Sysctls,
		ReadOnlyRoot: c.ReadOnlyRoot, MemoryBytes: int64(c.Limits.Memory), PidsLimit: int64(c.Limits.Pids),
		NanoCPUs: int64(c.Limits.CPUs * float64(time.Second)), RestartPolicy: c.Restart,
	}
	for _, m := range c.Mounts {
		out.Mounts = append(out.Mounts, tenants.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	for _, m := range c.Tmpfs {
		out.Tmpfs[m.Target] = m.Options
	}
	return out, nil
}

// Hook returns a hook's command for this site. Its own variables come from the caller.
func (r recipe) Hook(s tenants.Site, name string) (provision.Hook, bool, error) {
	spec, err := r.resolve(s)
	if err != nil {
		return provision.Hook{}, false, err
	}
	h, ok := spec.Hook(name)
	return provision.Hook{Command: h.Command, Timeout: h.Timeout}, ok, nil
}

// Ready returns the page by which a probe knows that a site works.
func (r recipe) Ready() tenants.Page { return tenants.Page(r.template.Probes.Ready) }

// CronEvery returns how often the scheduled tasks want to run.
func (r recipe) CronEvery() time.Duration { return time.Duration(r.template.Hooks["cron"].Every) }

// DiskNeed returns the room a fresh site is sure to need, in bytes.
func (r recipe) DiskNeed() int64 { return freshSite }
