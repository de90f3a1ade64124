package templates

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Bounds of what one container may ask for.
const (
	leastMemory = 16 * MiB
	mostMemory  = 16 * GiB
	mostTmpfs   = 256 * MiB
)

func (c checker) containers(m Manifest) {
	if len(m.Containers) == 0 {
		c.fault("containers", "none", "at least one container")
	}
	seen := map[string]bool{}
	listening := 0
	for i, container := range m.Containers {
		at := fmt.Sprintf("containers[%d]", i)
		c.text(at+".name", container.Name, slug, "a short name such as app")
		if seen[container.Name] {
			c.fault(at+".name", "“"+container.Name+"” twice", "each name once")
		}
		seen[container.Name] = true
		if container.Name == NetworkContainer {
			c.fault(at+".name", short(container.Name), "another name: this is that of a container of ours")
		}
		if container.front() {
			listening++
		}
		c.container(at, container, m)
	}
	c.ports(m)
	c.boundPlaces(m)
	if len(m.Containers) > 0 && listening != 1 {
		c.fault("containers", fmt.Sprintf("%d of them listen", listening), "exactly one that answers HTTP")
	}
}

func (c checker) container(at string, container Container, m Manifest) {
	c.build(at, container, m.Versions)
	c.listen(at+".listen", container.Listen)
	c.places(at, container, m.Modes)
	c.limits(at+".limits", container.Limits)
	allowed := variablesOf(m.Database.Engine)
	c.variables(at+".variables", container.Variables, allowed)
	c.environment(at, container, allowed)
}

func (c checker) build(at string, container Container, versions []Version) {
	ready := !slices.ContainsFunc(versions, func(v Version) bool { return v.Source.Kind != imageSource })
	if ready && c.missing(at+".build") {
		return
	}
	c.text(at+".build.dockerfile", container.Build.Dockerfile, fileName, "the name of a Dockerfile beside the manifest")
	c.text(at+".build.base", container.Build.Base, slug, "the name of a base image of ours, such as php")
	for name := range container.Build.Arguments {
		if !variable.MatchString(name) || name == "BASE" || strings.HasPrefix(name, "SOURCE_") {
			c.fault(join(at+".build.arguments", name), "not free", "a name other than BASE and SOURCE_…")
		}
	}
}

func (c checker) listen(at string, l Listen) {
	switch {
	case l == Listen{}:
	case l.Socket != "" && l.Port != 0:
		c.fault(at, "a socket and a port", "one of the two")
	case l.Socket != "" && !fileName.MatchString(l.Socket):
		c.fault(at+".socket", short(l.Socket), "a file name such as http.sock")
	}
}

// places checks what can be written to: everything else is read-only.
func (c checker) places(at string, container Container, modes []string) {
	seen := map[string]bool{}
	for i, writable := range container.Writable {
		here := fmt.Sprintf("%s.writable[%d].path", at, i)
		if !below(writable.Path, dataDir) {
			c.fault(here, short(writable.Path), "a clean path below "+dataDir)
		}
		c.once(here, writable.Path, seen)
		c.modeList(fmt.Sprintf("%s.writable[%d].modes", at, i), writable.Modes, modes)
	}
	for i, tmpfs := range container.Tmpfs {
		here := fmt.Sprintf("%s.tmpfs[%d]", at, i)
		if !slices.Contains([]string{"/run", "/tmp"}, tmpfs.Path) && !below(tmpfs.Path, "/var") {
			c.fault(here+".path", short(tmpfs.Path), "/run, /tmp or a path below /var")
		}
		if tmpfs.Size <= 0 || tmpfs.Size > mostTmpfs {
			c.fault(here+".size", "missing or too big", "a size up to 256MiB, since it counts as memory")
		}
		c.once(here+".path", tmpfs.Path, seen)
	}
}

func (c checker) once(at, value string, seen map[string]bool) {
	if seen[value] {
		c.fault(at, short(value)+" twice", "each path once")
	}
	seen[value] = true
}

func below(place, root string) bool {
	return path.Clean(place) == place && strings.HasPrefix(place, root+"/")
}

func (c checker) limits(at string, l Limits) {
	if l.Memory < leastMemory || l.Memory > mostMemory {
		c.fault(at+".memory", "missing or out of bounds", "16MiB to 16GiB")
	}
	if l.Pids < 8 || l.Pids > 4096 {
		c.fault(at+".pids", fmt.Sprint(l.Pids), "8 to 4096")
	}
	if l.CPUs < 0.05 || l.CPUs > 64 {
		c.fault(at+".cpus", fmt.Sprint(l.CPUs), "0.05 to 64")
	}
}

func (c checker) variables(at string, names, allowed []string) {
	seen := map[string]bool{}
	for i, name := range names {
		here := fmt.Sprintf("%s[%d]", at, i)
		if !slices.Contains(allowed, name) {
			c.fault(here, "unknown variable "+short(name), "one of "+strings.Join(allowed, ", "))
		}
		c.once(here, name, seen)
	}
}

func (c checker) environment(at string, container Container, allowed []string) {
	for name, value := range container.Environment {
		here := join(at+".environment", name)
		if !variable.MatchString(name) {
			c.fault(here, short(name), "a name in capitals")
		}
		if slices.Contains(container.Variables, name) {
			c.fault(here, "also listed as a variable", "one of the two")
		}
		if strings.ContainsAny(value, "\x00\n\r") {
			c.fault(here, short(value), "one line")
		}
		for _, found := range placeholder.FindAllStringSubmatch(value, -1) {
			if !slices.Contains(allowed, found[1]) {
				c.fault(here, "unknown variable "+short(found[1]), "one of "+strings.Join(allowed, ", "))
			}
		}
	}
}
