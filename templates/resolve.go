package templates

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"time"
)

// Resolve makes the specification of a site from a template, one of its versions
// (the default one for the empty name) and the values of the site.
func Resolve(template Template, versionName string, values Values) (Spec, error) {
	version, err := template.Version(versionName)
	if err != nil {
		return Spec{}, err
	}
	if err := values.check(); err != nil {
		return Spec{}, err
	}
	resolver := resolver{template: template, version: version, values: values}
	spec := Spec{
		Template: template.Name,
		Version:  version.Name,
		Mode:     template.Mode,
		Database: template.Database,
		Upgrade:  template.Upgrade,
		Probes:   template.Probes,
	}
	for _, refusal := range template.Refuse {
		spec.Refuse = append(spec.Refuse, refusal.Path)
	}
	resolver.variables = resolver.site()
	for _, container := range template.Containers {
		made, err := resolver.container(container)
		if err != nil {
			return Spec{}, err
		}
		spec.Containers = append(spec.Containers, made)
	}
	spec.Hooks = resolver.hooks(spec.Front().Name)
	return spec, nil
}

// resolver holds what the parts of a specification have in common.
type resolver struct {
	template  Template
	version   Version
	values    Values
	variables map[string]string
}

func (r resolver) container(c Container) (ContainerSpec, error) {
	image, err := r.image(c)
	if err != nil {
		return ContainerSpec{}, err
	}
	spec := ContainerSpec{
		Name:           c.Name,
		Image:          image,
		User:           fmt.Sprintf("%d:%d", r.values.UID, r.values.UID),
		Network:        "none",
		Environment:    r.environment(c),
		Mounts:         r.mounts(c),
		Tmpfs:          r.tmpfs(c),
		Limits:         r.limits(c.Limits),
		Sysctls:        map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
		ReadOnlyRoot:   true,
		DropAll:        true,
		NoNewPrivilege: true,
		Restart:        "unless-stopped",
	}
	switch {
	case c.Listen.Socket != "":
		spec.Upstream = "unix:" + path.Join(r.values.Paths.HTTP, c.Listen.Socket)
	case c.Listen.Port != 0:
		spec.Upstream = "port:" + strconv.Itoa(c.Listen.Port)
		spec.Network = "internal"
	}
	return spec, nil
}

func (r resolver) image(c Container) (string, error) {
	image := r.values.Images[c.Name]
	if image == "" && r.version.Source.Kind == "image" {
		image = r.version.Source.Reference
	}
	if !imageID.MatchString(image) {
		return "", fmt.Errorf("%w: container %s has the image %q", ErrValues, c.Name, image)
	}
	return image, nil
}

// site gives every variable of the closed set its value.
func (r resolver) site() map[string]string {
	return map[string]string{
		"ADMIN_PASSWORD_FILE": path.Join(secretsDir, "admin_password"),
		"DATA_DIR":            dataDir,
		"DB_NAME":             r.values.Database,
		"DB_PASSWORD_FILE":    path.Join(secretsDir, "db_password"),
		"DB_SOCKET":           path.Join(databaseDir, "mysqld.sock"),
		"DB_USER":             r.values.Database,
		"EGRESS_SOCKET":       path.Join(gateDir, "egress.sock"),
		"HTTP_SOCKET":         path.Join(httpDir, r.template.socket()),
		"LANG":                r.values.Language,
		"SECRET_KEY_FILE":     path.Join(secretsDir, "secret_key"),
		"SITE_HOST":           r.values.Host,
		"SITE_ID":             r.values.SiteID,
		"SITE_UID":            strconv.Itoa(r.values.UID),
		"SITE_URL":            r.values.URL,
		"SMTP_SOCKET":         path.Join(gateDir, "smtp.sock"),
		"TZ":                  r.values.TimeZone,
	}
}

// socket is the name of the socket of the container that has one.
func (t Template) socket() string {
	for _, container := range t.Containers {
		if container.Listen.Socket != "" {
			return container.Listen.Socket
		}
	}
	return "http.sock"
}

func (r resolver) environment(c Container) []string {
	told := make(map[string]string, len(c.Variables)+len(c.Environment))
	for _, name := range c.Variables {
		told[name] = r.variables[name]
	}
	for name, value := range c.Environment {
		told[name] = placeholder.ReplaceAllStringFunc(value, func(found string) string {
			return r.variables[found[2:len(found)-1]]
		})
	}
	return assignments(told)
}

func assignments(values map[string]string) []string {
	list := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, name+"="+values[name])
	}
	return list
}

func (r resolver) hooks(container string) []HookSpec {
	first := r.values.First
	values := map[string]string{
		"ADMIN_EMAIL": first.AdminEmail, "ADMIN_USER": first.AdminUser, "SITE_LOCALE": first.Locale,
		"SITE_TIMEZONE": r.values.TimeZone, "SITE_TITLE": first.Title,
	}
	hooks := make([]HookSpec, 0, len(r.template.Hooks))
	for _, name := range slices.Sorted(maps.Keys(r.template.Hooks)) {
		hook := r.template.Hooks[name]
		told := map[string]string{}
		for _, variable := range hook.Variables {
			told[variable] = values[variable]
		}
		hooks = append(hooks, HookSpec{
			Name: name, Container: container, Command: slices.Clone(hook.Command), Arguments: slices.Clone(hook.Arguments),
			Environment: assignments(told), Timeout: time.Duration(hook.Timeout), Every: time.Duration(hook.Every),
			Running: slices.Contains(hook.Where, "running"), OneShot: slices.Contains(hook.Where, "oneshot"),
		})
	}
	return hooks
}
