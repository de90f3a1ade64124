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

// Templates knows one template, "wordpress" in version "1".
type Templates struct {
	// Newest is the image that the template gives, FirstImage when nil.
	Newest *Newest
}

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
	if name != "wordpress" {
		return "", fmt.Errorf("template %q: %w", name, tenants.ErrNotFound)
	}
	return "1", nil
}

// Has implements provision.Templates.
func (Templates) Has(name, version string) bool { return name == "wordpress" && version == "1" }

// Images implements provision.Templates.
func (t Templates) Images(context.Context, string, string, io.Writer) (map[string]string, error) {
	if t.Newest == nil {
		return map[string]string{"web": FirstImage}, nil
	}
	t.Newest.mu.Lock()
	defer t.Newest.mu.Unlock()
	if t.Newest.err == nil && !t.Newest.built {
		t.Newest.built = true
		t.Newest.builds++
	}
	return map[string]string{"web": t.Newest.id}, t.Newest.err
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
	return map[string]string{"web": t.Newest.id}, nil
}

// Define implements provision.Templates.
func (t Templates) Define(s tenants.Site, r tenants.Release, images map[string]string) ([]tenants.ReleaseContainer, tenants.Definition, error) {
	if !t.Has(s.Template, r.Version) {
		return nil, tenants.Definition{}, tenants.ErrNotFound
	}
	d := tenants.Definition{
		Containers: []tenants.ContainerSpec{{User: fmt.Sprintf("%d:%d", s.UID, s.UID), Network: "none", ReadOnlyRoot: true}},
		Ready:      tenants.Page{Path: "/", Status: http.StatusOK}, CronEvery: 5 * time.Minute,
	}
	if t.Newest != nil {
		t.Newest.mu.Lock()
		defer t.Newest.mu.Unlock()
		d.Containers[0].MemoryBytes = t.Newest.memory
	}
	for _, name := range []string{"cron", "install", "installed"} {
		d.Hooks = append(d.Hooks, tenants.Hook{Name: name, Command: []string{name}, Timeout: time.Minute})
	}
	return []tenants.ReleaseContainer{{Name: "web", ImageID: cmp.Or(images["web"], images[""]), Front: true}}, d, nil
}
