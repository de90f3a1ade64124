package provisiontest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/provision"
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

// Template implements provision.Templates.
func (Templates) Template(name, version string) (provision.Template, error) {
	if name != "wordpress" || version != "1" {
		return nil, tenants.ErrNotFound
	}
	return template{}, nil
}

// Image implements provision.Templates.
func (t Templates) Image(context.Context, string, string, io.Writer) (string, error) {
	if t.Newest == nil {
		return FirstImage, nil
	}
	t.Newest.mu.Lock()
	defer t.Newest.mu.Unlock()
	if t.Newest.err == nil && !t.Newest.built {
		t.Newest.built = true
		t.Newest.builds++
	}
	return t.Newest.id, t.Newest.err
}

// Built implements provision.Templates.
func (t Templates) Built(context.Context, string, string) (string, error) {
	if t.Newest == nil {
		return FirstImage, nil
	}
	t.Newest.mu.Lock()
	defer t.Newest.mu.Unlock()
	if !t.Newest.built {
		return "", t.Newest.err
	}
	return t.Newest.id, t.Newest.err
}

type template struct{}

func (template) Container(s tenants.Site) (tenants.ContainerSpec, error) {
	return tenants.ContainerSpec{User: fmt.Sprintf("%d:%d", s.UID, s.UID), Network: "none", ReadOnlyRoot: true}, nil
}
func (template) Hook(_ tenants.Site, name string) (provision.Hook, bool, error) {
	return provision.Hook{Command: []string{name}, Timeout: time.Minute}, true, nil
}
func (template) Ready() tenants.Page      { return tenants.Page{Path: "/", Status: http.StatusOK} }
func (template) DiskNeed() int64          { return 1 << 20 }
func (template) CronEvery() time.Duration { return 5 * time.Minute }
