package templates

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
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
	mode, err := template.mode(values.Mode)
	if err != nil {
		return Spec{}, err
	}
	resolver := resolver{template: template, version: version, values: values, mode: mode}
	spec := Spec{
		Template: template.Name,
		Version:  version.Name,
		Mode:     mode,
		Database: template.Database,
		Upgrade:  template.Upgrade,
		Probes:   template.Probes,
	}
	for _, refusal := range template.Refuse {
		spec.Refuse = append(spec.Refuse, refusal.Path)
	}
	for _, place := range template.boundPlaces() {
		spec.Places = append(spec.Places, strings.TrimPrefix(place.Path, dataDir+"/"))
	}
	resolver.variables = resolver.site()
	if spec.Containers, err = resolver.containers(); err != nil {
		return Spec{}, err
	}
	spec.Hooks = resolver.hooks(spec.Front().Name)
	return spec, nil
}

// resolver holds what the parts of a specification have in common.
type resolver struct {
	template  Template
	version   Version
	values    Values
	mode      string
	variables map[string]string
}

// mode returns a mode by name, the first one for the empty name.
func (t Template) mode(name string) (string, error) {
	if name == "" {
		return t.Modes[0], nil
	}
	if !slices.Contains(t.Modes, name) {
		return "", fmt.Errorf("%w: %s has no mode %q", ErrValues, t.Name, name)
	}
	return name, nil
}

// containers are in the order in which they are started: the one that owns a shared network first.
func (r resolver) containers() ([]ContainerSpec, error) {
	var made []ContainerSpec
	shared := r.template.sharesNetwork(r.version)
	if shared {
		owner, err := r.networkOwner()
		if err != nil {
			return nil, err
		}
		made = append(made, owner)
	}
	for _, container := range r.template.Containers {
		spec, err := r.container(container)
		if err != nil {
			return nil, err
		}
		if shared {
			spec.Network, spec.Sysctls = NetworkContainer, nil
		}
		made = append(made, spec)
	}
	return made, nil
}

func (r resolver) container(c Container) (ContainerSpec, error) {
	image, err := r.image(c.Name)
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
		Limits:         c.Limits,
		Sysctls:        unprivilegedPorts(),
		ReadOnlyRoot:   true,
		DropAll:        true,
		NoNewPrivilege: true,
		Restart:        "unless-stopped",
	}
	if c.front() {
		spec.Upstream = "unix:" + path.Join(r.values.Paths.HTTP, r.template.socket())
		spec.Limits = r.limits(c.Limits)
		spec.Foreign = c.Build.Dockerfile == "" || c.Listen.Port != 0
	}
	return spec, nil
}

// front reports whether it is the one that answers HTTP.
func (c Container) front() bool { return c.Listen != Listen{} }

func (r resolver) image(container string) (string, error) {
	image := r.values.Images[container]
	if !imageID.MatchString(image) {
		return "", fmt.Errorf("%w: container %s has the image %q", ErrValues, container, image)
	}
	return image, nil
}

// site gives every variable of the closed set its value.
func (r resolver) site() map[string]string {
	variables := map[string]string{
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
		"SITE_MODE":           r.mode,
		"SITE_UID":            strconv.Itoa(r.values.UID),
		"SITE_URL":            r.values.URL,
		"SMTP_SOCKET":         path.Join(gateDir, "smtp.sock"),
		"TZ":                  r.values.TimeZone,
	}
	if r.template.Database.Engine == PostgreSQL {
		variables["DB_HOST"], variables["DB_PORT"] = loopback, strconv.Itoa(r.template.databasePort())
	}
	return variables
}

// socket is the name of the socket that the proxy asks: that of the container that has one, or of the one that leads to a port.
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

// hooks run in the container that they name, or else in the given one.
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
			Name: name, Container: cmp.Or(hook.Container, container), Command: slices.Clone(hook.Command), Arguments: slices.Clone(hook.Arguments),
			Environment: assignments(told), Timeout: time.Duration(hook.Timeout), Every: time.Duration(hook.Every),
			Running: slices.Contains(hook.Where, "running"), OneShot: slices.Contains(hook.Where, "oneshot"),
		})
	}
	return hooks
}
