package provisiontest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// Templates knows one template, "wordpress" in version "1".
type Templates struct{}

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
func (Templates) Image(context.Context, string, string, io.Writer) (string, error) {
	return "sha256:wordpress1", nil
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
