package htaccess

import "strings"

// level is what one file says about a request.
type level struct {
	plain      section   // outside of <Files>
	files      []section // the <Files> and <FilesMatch> that match, in their order
	rewrite    rewrite
	redirected bool // a redirect forbids it
	broken     bool // the file cannot be read
	unclear    bool
	directive  string // the first that is not followed
}

// section is what one part of a file says about who may have what it is about.
type section struct {
	requires []verdict // one for each directive or container
	closed   bool      // it restricts access in a way that is not understood
	hosts    hosts
}

func (s section) verdict() verdict {
	if s.closed {
		return refused
	}
	return anyOf(s.requires)
}

// evaluation walks one file for one request.
type evaluation struct {
	Request
	inner string // the path below the file's directory
	level level
}

func evaluate(r Request, inner, text string, fault error) level {
	e := evaluation{Request: r, inner: inner}
	var body []directive
	if fault == nil {
		body, fault = parse(text)
	}
	if fault != nil {
		e.note("")
		e.level.broken = true
		return e.level
	}
	e.walk(body, &e.level.plain)
	return e.level
}

// note keeps that a directive is not followed.
func (e *evaluation) note(directive string) {
	if !e.level.unclear {
		e.level.unclear, e.level.directive = true, directive
	}
}

// walk puts what the directives say into a section.
func (e *evaluation) walk(body []directive, into *section) {
	for _, d := range body {
		if d.section {
			e.section(d, into)
			continue
		}
		switch d.name {
		case "require", "order", "allow", "deny":
			e.access(d, into)
		case "satisfy", "authmerging":
			e.note(d.name)
		case "redirect", "redirectmatch", "redirectpermanent", "redirecttemp":
			e.redirect(d)
		case "rewriteengine", "rewritecond", "rewriterule", "rewriteoptions":
			e.rewriteDirective(d)
		}
	}
}

func (e *evaluation) section(d directive, into *section) {
	switch d.name {
	case "ifmodule", "ifversion", "ifdefine":
		if e.condition(d) {
			e.walk(d.body, into)
		}
	case "limit", "limitexcept":
		if e.limited(d) {
			e.walk(d.body, into)
		}
	case "files", "filesmatch":
		e.files(d)
	case "requireall", "requireany", "requirenone":
		into.requires = append(into.requires, e.container(d))
	default:
		e.unknown(d, into)
	}
}

// files adds a section if its pattern matches the file's name. A pattern that cannot be read counts as one that matches,
// where the section refuses, and as one that does not, where it grants.
func (e *evaluation) files(d directive) {
	matches, err := matchesName(d, e.inner[strings.LastIndexByte(e.inner, '/')+1:])
	if err != nil {
		e.note(d.name)
	} else if !matches {
		return
	}
	var s section
	e.walk(d.body, &s)
	if err != nil && !refuses([]section{s}) {
		return
	}
	e.level.files = append(e.level.files, s)
}

// unknown is a section whose condition cannot be judged: what restricts access in it counts, whatever it says.
func (e *evaluation) unknown(d directive, into *section) {
	var inside section
	e.walk(d.body, &inside)
	if inside.closed || len(inside.requires) > 0 || inside.hosts.given {
		e.note(d.name)
		into.closed = true
	}
}

// limited reports whether <Limit> or <LimitExcept> is about the request's method.
func (e *evaluation) limited(d directive) bool {
	named := false
	for _, method := range d.args {
		named = named || method == e.Method || method == "GET" && e.Method == "HEAD"
	}
	return named == (d.name == "limit")
}
