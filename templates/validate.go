package templates

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	slug       = regexp.MustCompile(`^[a-z0-9](?:-?[a-z0-9]){0,39}$`)
	hookName   = regexp.MustCompile(`^[a-z](?:_?[a-z]){0,39}$`)
	version    = regexp.MustCompile(`^[0-9A-Za-z](?:[._-]?[0-9A-Za-z]){0,39}$`)
	variable   = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	licence    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+ ()-]{1,99}$`)
	identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// requiredHooks are those that every template must bring.
var requiredHooks = []string{
	"cron", "dump", "health", "install", "installed", "maintenance_off", "maintenance_on", "version",
}

// modes are who decides on a site's code: its association, or the co-op for all.
var modes = []string{"autonome", "mutualise"}

var languages = []string{"fr", "en"}

// checker collects the faults of what a manifest says, beside those of how it says it.
type checker struct {
	decoder *decoder
	// broken are the paths that could not be read. Their values are unset, and a
	// second fault about them would only mislead.
	broken []string
}

func newChecker(d *decoder) checker {
	c := checker{decoder: d}
	for _, fault := range d.faults {
		c.broken = append(c.broken, fault.Path)
	}
	return c
}

func (c checker) fault(path, got, want string) {
	for _, broken := range c.broken {
		if rest, within := strings.CutPrefix(path, broken); within && (broken == "" || rest == "" || strings.ContainsRune(".[", rune(rest[0]))) {
			return
		}
	}
	c.decoder.faults = append(c.decoder.faults, Fault{
		File: c.decoder.file, Line: c.lineOf(path), Path: path, Got: got, Want: want,
	})
}

// lineOf is the line of a path, or of the nearest thing around it when it is missing.
func (c checker) lineOf(path string) int {
	for {
		if line, ok := c.decoder.lines[path]; ok {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return c.decoder.lines[""]
		}
		path = path[:cut]
	}
}

func (c checker) missing(path string) bool {
	_, met := c.decoder.lines[path]
	return !met
}

// text checks a required word against a pattern.
func (c checker) text(path, value string, pattern *regexp.Regexp, want string) {
	switch {
	case c.missing(path):
		c.fault(path, "missing", want)
	case !pattern.MatchString(value):
		c.fault(path, short(value), want)
	}
}

func (c checker) oneOf(path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	got := short(value)
	if c.missing(path) {
		got = "missing"
	}
	c.fault(path, got, "one of "+strings.Join(allowed, ", "))
}

func (c checker) manifest(m Manifest) {
	if m.Format != Format {
		c.fault("format", fmt.Sprintf("%d", m.Format), fmt.Sprintf("%d", Format))
	}
	c.text("name", m.Name, slug, "lower-case letters, digits and single hyphens, at most 40")
	c.modes(m)
	c.translated("title", m.Title, 60)
	c.translated("description", m.Description, 400)
	c.text("licence", m.Licence, licence, "an SPDX expression such as GPL-2.0-or-later")
	c.versions(m)
	c.upgrade(m)
	c.database(m)
	c.containers(m)
	c.hooks(m)
	c.probes(m)
	c.entry(m)
	c.refusals(m.Refuse)
	c.names(m.Egress)
}

func (c checker) translated(path string, texts map[string]string, most int) {
	for _, language := range languages {
		if text := texts[language]; text == "" || len([]rune(text)) > most {
			c.fault(join(path, language), short(text), fmt.Sprintf("1 to %d characters", most))
		}
	}
	for language := range texts {
		if !slices.Contains(languages, language) {
			c.fault(join(path, language), "unknown language", "one of "+strings.Join(languages, ", "))
		}
	}
}

func (c checker) modes(m Manifest) {
	if len(m.Modes) == 0 {
		c.fault("modes", "none", "at least one mode")
	}
	c.modeList("modes", m.Modes, modes)
}

func (c checker) modeList(at string, list, allowed []string) {
	seen := map[string]bool{}
	for i, mode := range list {
		here := fmt.Sprintf("%s[%d]", at, i)
		c.oneOf(here, mode, allowed...)
		c.once(here, mode, seen)
	}
}

func (c checker) database(m Manifest) {
	d := m.Database
	c.oneOf("database.engine", d.Engine, MariaDB, PostgreSQL, NoDatabase)
	if d.Engine == MariaDB {
		c.text("database.charset", d.Charset, identifier, "a character set such as utf8mb4")
		c.text("database.collation", d.Collation, identifier, "a collation such as utf8mb4_unicode_520_ci")
	}
	runs := slices.ContainsFunc(m.Containers, func(container Container) bool {
		return container.Name == d.Container && len(container.Ports) == 1
	})
	if (d.Engine == PostgreSQL) != runs || !runs && d.Container != "" {
		c.fault("database.container", short(d.Container), "for postgresql, and for no other: the name of a container with one port")
	}
}

func (c checker) upgrade(m Manifest) {
	c.oneOf("upgrade.strategy", m.Upgrade.Strategy, "migrate-hook", "migrate-on-start", "entrypoint", "code-overlay", "in-app")
	if m.Upgrade.Strategy == "migrate-hook" {
		c.namedHook("upgrade.hook", m.Upgrade.Hook, m.Hooks)
	}
	if m.Upgrade.MaxMajor < 0 {
		c.fault("upgrade.max_major", fmt.Sprint(m.Upgrade.MaxMajor), "how many major versions one step may cross, 0 for any")
	}
}

func (c checker) namedHook(path, name string, hooks map[string]Hook) {
	if _, ok := hooks[name]; !ok {
		c.fault(path, short(name), "the name of a hook of this template")
	}
}
