package templates

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mostHook is the longest that a hook may be allowed to take.
const mostHook = Duration(6 * time.Hour)

func (c checker) hooks(m Manifest) {
	for _, name := range requiredHooks {
		if _, ok := m.Hooks[name]; !ok {
			c.fault(join("hooks", name), "missing", "a hook of this name")
		}
	}
	for name, hook := range m.Hooks {
		at := join("hooks", name)
		c.hook(at, name, hook)
		runs := slices.ContainsFunc(m.Containers, func(container Container) bool { return container.Name == hook.Container })
		if hook.Container != "" && !runs {
			c.fault(at+".container", short(hook.Container), "the name of a container of this template")
		}
	}
}

func (c checker) hook(at, name string, hook Hook) {
	if !hookName.MatchString(name) {
		c.fault(at, short(name), "lower-case letters and underscores")
	}
	if len(hook.Command) == 0 || slices.Contains(hook.Command, "") {
		c.fault(at+".command", "empty", "a program and its arguments")
	}
	if slices.ContainsFunc(hook.Command, func(word string) bool { return strings.ContainsRune(word, 0) }) {
		c.fault(at+".command", "a null byte", "plain text")
	}
	if len(hook.Where) == 0 {
		c.fault(at+".where", "nowhere", "running, oneshot or both")
	}
	for i := range hook.Where {
		c.oneOf(fmt.Sprintf("%s.where[%d]", at, i), hook.Where[i], "running", "oneshot")
	}
	if hook.Timeout <= 0 || hook.Timeout > mostHook {
		c.fault(at+".timeout", "missing or too long", "a duration up to 6h")
	}
	if (name == "cron") != (hook.Every > 0) {
		c.fault(at+".every", "misplaced or missing", "a duration, for the hook cron and for no other")
	}
	c.variables(at+".variables", hook.Variables, hookVariables)
	for i, argument := range hook.Arguments {
		c.text(fmt.Sprintf("%s.arguments[%d]", at, i), argument, identifier, "the name of an argument, such as user")
	}
}

// entryPath has nothing in it that would have to be escaped in an address or could lead to another host.
var entryPath = regexp.MustCompile(`^(?:/[A-Za-z0-9._-]+)+$`)

func (c checker) entry(m Manifest) {
	if c.missing("entry") {
		return // a template without a way in
	}
	c.text("entry.path", m.Entry.Path, entryPath, "an absolute path of letters, digits, dots, hyphens and underscores")
	for i, refusal := range m.Refuse {
		if pattern, err := compile(refusal.Path); err == nil && pattern.MatchString(m.Entry.Path) {
			c.fault("entry.path", short(m.Entry.Path), fmt.Sprintf("a path that refuse[%d] lets pass", i))
		}
	}
}

func (c checker) probes(m Manifest) {
	c.namedHook("probes.installed.hook", m.Probes.Installed.Hook, m.Hooks)
	ready := m.Probes.Ready
	if !strings.HasPrefix(ready.Path, "/") || path.Clean(ready.Path) != strings.TrimSuffix(ready.Path, "/") && ready.Path != "/" {
		c.fault("probes.ready.path", short(ready.Path), "an absolute path such as /")
	}
	if ready.Status < 200 || ready.Status > 599 {
		c.fault("probes.ready.status", fmt.Sprint(ready.Status), "an HTTP status such as 200")
	}
	for i, refusal := range m.Refuse {
		if pattern, err := compile(refusal.Path); err == nil && pattern.MatchString(ready.Path) {
			c.fault("probes.ready.path", short(ready.Path), fmt.Sprintf("a path that refuse[%d] does not refuse", i))
		}
	}
}
