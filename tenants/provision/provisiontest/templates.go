package provisiontest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"chatiere/tenants"
)

// Templates knows three templates in version "1": "wordpress", of one container; "carnet", of several that share a network,
// with a database of its own; "vitrine", with two modes and no database.
type Templates struct {
	// Newest is the image that the template gives, FirstImage when nil.
	Newest *Newest
}

// fronts are the templates, by name, and the container of each that answers.
var fronts = map[string]string{"wordpress": "web", "carnet": "app", "vitrine": "web"}

// Place is the directory of vitrine that only one mode may write in.
const Place = "pages/themes"

// FirstImage is what sites are made of that nobody has updated.
const FirstImage = "sha256:wordpress1"

// Newest is an image that changes.
type Newest struct {
	mu     sync.Mutex
	id     string
	built  bool
	builds int
	err    error
	memory int64 // the limit that the template gives
}

// Limit makes the template give another limit of memory, as settings of the co-op do.
func (n *Newest) Limit(bytes int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.memory = bytes
}

// Change makes the template give another image, which somebody has to build first.
func (n *Newest) Change(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id, n.built = id, false
}

// Fail makes builds and looks fail until it is told nil.
func (n *Newest) Fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

// Builds is how often an image was built.
func (n *Newest) Builds() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.builds
}

// Latest implements provision.Templates.
func (Templates) Latest(name string) (string, error) {
	if fronts[name] == "" {
		return "", fmt.Errorf("template %q: %w", name, tenants.ErrNotFound)
	}
	return "1", nil
}

// Has implements provision.Templates.
func (Templates) Has(name, version string) bool { return fronts[name] != "" && version == "1" }

// Modes implements the catalogue of provision.Provisioner.
func (Templates) Modes(name string) ([]string, error) {
	switch {
	case fronts[name] == "":
		return nil, tenants.ErrNotFound
	case name != "wordpress": // in carnet they make no difference to the containers
		return []string{"autonome", "mutualise"}, nil
	}
	return []string{"autonome"}, nil
}

// imagesOf are the images of a template whose front is made of id.
func imagesOf(template, id string) map[string]string {
	images := map[string]string{fronts[template]: id}
	if template == "carnet" {
		images["net"], images["db"] = "sha256:net", "sha256:postgresql"
	}
	return images
}

// Images implements provision.Templates.
func (t Templates) Images(_ context.Context, name, _ string, _ io.Writer) (map[string]string, error) {
	if t.Newest == nil {
		return imagesOf(name, FirstImage), nil
	}
	t.Newest.mu.Lock()
	defer t.Newest.mu.Unlock()
	if t.Newest.err == nil && !t.Newest.built {
		t.Newest.built = true
		t.Newest.builds++
	}
	return imagesOf(name, t.Newest.id), t.Newest.err
}

// Built implements provision.Templates.
func (t Templates) Built(ctx context.Context, name, version string) (map[string]string, error) {
	if t.Newest == nil {
		return t.Images(ctx, name, version, nil)
	}
	t.Newest.mu.Lock()
	defer t.Newest.mu.Unlock()
	if !t.Newest.built || t.Newest.err != nil {
		return nil, t.Newest.err
	}
	return imagesOf(name, t.Newest.id), nil
}

// Define implements provision.Templates.
func (t Templates) Define(s tenants.Site, r tenants.Release, images map[string]string) (tenants.Release, tenants.Definition, error) {
	if !t.Has(s.Template, r.Version) {
		return r, tenants.Definition{}, tenants.ErrNotFound
	}
	r.Mode = cmp.Or(r.Mode, "autonome")
	d := tenants.Definition{Ready: tenants.Page{Path: "/", Status: http.StatusOK}, CronEvery: 5 * time.Minute}
	for _, name := range []string{"cron", "install", "installed"} {
		d.Hooks = append(d.Hooks, tenants.Hook{Name: name, Command: []string{name}, Timeout: time.Minute})
	}
	names := []string{fronts[s.Template]}
	switch s.Template {
	case "carnet":
		names, r.DatabaseEngine = []string{"net", "db", "app"}, tenants.DatabasePostgreSQL
		d.Hooks = append(d.Hooks, tenants.Hook{Name: "dump", Container: "db", Command: []string{"dump"}, Timeout: time.Minute})
	case "vitrine":
		r.DatabaseEngine, r.Places = tenants.DatabaseNone, []string{Place}
	}
	r.Containers = nil
	for _, name := range names {
		r.Containers = append(r.Containers, tenants.ReleaseContainer{
			Name: name, ImageID: cmp.Or(images[name], images[""]), Front: name == fronts[s.Template], Foreign: s.Template == "carnet",
		})
		d.Containers = append(d.Containers, t.container(s, r.Mode, name))
	}
	return r, d, nil
}

func (t Templates) container(s tenants.Site, mode, name string) tenants.ContainerSpec {
	spec := tenants.ContainerSpec{User: fmt.Sprintf("%d:%d", s.UID, s.UID), Network: "none", ReadOnlyRoot: true}
	if s.Template == "carnet" && name != "net" {
		spec.Network = tenants.NetworkOf("net")
	}
	if s.Template == "vitrine" && mode == "mutualise" {
		spec.Mounts = []tenants.Mount{{Source: "data/" + Place, Target: "/data/" + Place, ReadOnly: true}}
	}
	if t.Newest != nil {
		t.Newest.mu.Lock()
		defer t.Newest.mu.Unlock()
		spec.MemoryBytes = t.Newest.memory
	}
	return spec
}
