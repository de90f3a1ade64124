package templates

import (
	"fmt"
	"regexp"
	"strings"
)

// maxPattern bounds one pattern of a refuse list.
const maxPattern = 500

// compile checks a pattern. The same text is read by our proxy (RE2) and by nginx (PCRE),
// and stands between quotes in nginx's configuration.
func compile(pattern string) (*regexp.Regexp, error) {
	switch {
	case pattern == "" || len(pattern) > maxPattern:
		return nil, fmt.Errorf("empty or longer than %d", maxPattern)
	case strings.ContainsAny(pattern, "\"'\n\r\t\x00;{} "):
		return nil, fmt.Errorf("a quote, brace, semicolon or blank, which nginx would misread")
	case strings.Contains(pattern, `\t`), strings.Contains(pattern, `\r`), strings.Contains(pattern, `\n`):
		return nil, fmt.Errorf("an escape that nginx would read by itself")
	case strings.Contains(pattern, `(?P`), strings.Contains(pattern, `\z`), strings.Contains(pattern, `\p`), strings.Contains(pattern, `\P`):
		return nil, fmt.Errorf("an expression that nginx reads otherwise")
	}
	return regexp.Compile(pattern)
}

func (c checker) refusals(list []Refusal) {
	if len(list) == 0 {
		c.fault("refuse", "nothing", "the paths that must never be served")
	}
	patterns := make([]*regexp.Regexp, len(list))
	for i, refusal := range list {
		patterns[i] = c.refusal(fmt.Sprintf("refuse[%d]", i), refusal)
	}
	c.innocents(list, patterns)
}

// refusal checks one pattern against its own examples; nil stands for an unusable one.
func (c checker) refusal(at string, refusal Refusal) *regexp.Regexp {
	if refusal.Why == "" || strings.ContainsAny(refusal.Why, "\r\n") {
		c.fault(at+".why", short(refusal.Why), "the reason, on one line")
	}
	pattern, err := compile(refusal.Path)
	if err != nil {
		c.fault(at+".path", err.Error(), "a regular expression on the decoded path")
		return nil
	}
	c.examples(at+".refused", pattern, refusal.Refused, true)
	c.examples(at+".allowed", pattern, refusal.Allowed, false)
	return pattern
}

func (c checker) examples(at string, pattern *regexp.Regexp, examples []string, refused bool) {
	if len(examples) == 0 {
		c.fault(at, "no example", "at least one path")
	}
	for i, example := range examples {
		here := fmt.Sprintf("%s[%d]", at, i)
		if !strings.HasPrefix(example, "/") {
			c.fault(here, short(example), "an absolute path")
		}
		if pattern.MatchString(example) != refused {
			verb := map[bool]string{true: "a path that the pattern refuses", false: "a path that the pattern lets pass"}[refused]
			c.fault(here, short(example), verb)
		}
	}
}

// innocents tells of an example that its own pattern lets pass and another refuses.
func (c checker) innocents(list []Refusal, patterns []*regexp.Regexp) {
	for i, refusal := range list {
		for j, example := range refusal.Allowed {
			for k, other := range patterns {
				if k != i && other != nil && other.MatchString(example) {
					c.fault(fmt.Sprintf("refuse[%d].allowed[%d]", i, j), short(example), fmt.Sprintf("a path that refuse[%d] lets pass, too", k))
				}
			}
		}
	}
}

// NginxRefusals renders a refuse list as locations for nginx, so that the image
// refuses what our proxy refuses, from the same data.
func NginxRefusals(list []Refusal) string {
	var out strings.Builder
	out.WriteString("# Made from the refuse list of the manifest; change it there.\n")
	for _, refusal := range list {
		fmt.Fprintf(&out, "\n# %s\nlocation ~ \"%s\" {\n    return 404;\n}\n", refusal.Why, refusal.Path)
	}
	return out.String()
}
