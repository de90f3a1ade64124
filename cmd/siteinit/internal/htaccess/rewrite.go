package htaccess

import (
	"regexp"
	"strings"
)

// rewrite is what the rewrite rules of a file say. Rules that forbid are followed as far as they can be judged; those that
// lead elsewhere are not.
type rewrite struct {
	given   bool // the file's rules stand in the place of those further out
	on      bool
	ended   bool // a rule that matched ends the others
	forbids bool
	conds   []bool // of the next rule, each with whether it holds
	or      bool   // the condition before this one was enough, if it held
}

func (e *evaluation) rewriteDirective(d directive) {
	r := &e.level.rewrite
	r.given = true
	switch d.name {
	case "rewriteengine":
		r.on = len(d.args) > 0 && strings.EqualFold(d.args[0], "on")
	case "rewriteoptions":
		e.note(d.name)
	case "rewritecond":
		e.rewriteCond(d.args)
	case "rewriterule":
		e.rewriteRule(d)
		r.conds, r.or = nil, false
	}
}

func (e *evaluation) rewriteRule(d directive) {
	r := &e.level.rewrite
	if !r.on || r.ended || len(d.args) < 2 {
		return
	}
	flags := rewriteFlags(d.args[2:])
	forbids := flags["F"] || flags["FORBIDDEN"] || flags["G"] || flags["GONE"] || flags["R=403"] || flags["R=404"]
	ends := flags["L"] || flags["LAST"] || flags["END"]
	if !forbids && d.args[1] != "-" {
		e.note(d.name) // it leads elsewhere
	}
	matches, err := matchesRule(d.args[0], e.inner, flags["NC"] || flags["NOCASE"])
	if err != nil {
		e.note(d.name)
		matches = forbids
	}
	for _, holds := range r.conds {
		matches = matches && holds
	}
	r.forbids = r.forbids || matches && forbids
	r.ended = matches && (forbids || ends && d.args[1] == "-")
}

func matchesRule(pattern, text string, anyCase bool) (bool, error) {
	pattern, not := strings.CutPrefix(pattern, "!")
	if anyCase {
		pattern = "(?i)" + pattern
	}
	compiled, err := regexp.Compile(pattern)
	return err == nil && compiled.MatchString(text) != not, err
}

func rewriteFlags(args []string) map[string]bool {
	flags := map[string]bool{}
	if len(args) > 0 {
		for flag := range strings.SplitSeq(strings.Trim(args[0], "[]"), ",") {
			flags[strings.ToUpper(strings.TrimSpace(flag))] = true
		}
	}
	return flags
}

// rewriteCond keeps whether a condition holds. One that cannot be judged is noted: it counts as held, so that what should
// be forbidden is, except where it is about the page or program that a visitor comes from: no honest one is forbidden by that.
func (e *evaluation) rewriteCond(args []string) {
	r := &e.level.rewrite
	if !r.on || len(args) < 2 {
		return
	}
	flags := rewriteFlags(args[2:])
	holds, known := e.cond(args[0], args[1], flags["NC"] || flags["NOCASE"])
	if !known {
		e.note("rewritecond")
		test := strings.ToUpper(args[0])
		holds = !strings.Contains(test, "HTTP_REFERER") && !strings.Contains(test, "HTTP_USER_AGENT")
	}
	if r.or {
		r.conds[len(r.conds)-1] = r.conds[len(r.conds)-1] || holds
	} else {
		r.conds = append(r.conds, holds)
	}
	r.or = flags["OR"] || flags["ORNEXT"]
}

func (e *evaluation) cond(test, pattern string, anyCase bool) (holds, known bool) {
	var text string
	switch strings.ToUpper(test) {
	case "%{REQUEST_URI}":
		text = e.URL
	case "%{REQUEST_FILENAME}", "%{SCRIPT_FILENAME}":
		text = e.File
	case "%{REQUEST_METHOD}":
		text = e.Method
	default:
		return false, false
	}
	if strings.HasPrefix(strings.TrimPrefix(pattern, "!"), "-") {
		return false, false // about the file itself
	}
	holds, err := matchesRule(pattern, text, anyCase)
	return holds, err == nil
}

// redirect follows those that answer with an error, and notes the others.
func (e *evaluation) redirect(d directive) {
	if len(d.args) == 0 {
		return
	}
	status := strings.ToLower(d.args[0])
	if status != "gone" && (len(status) != 3 || status[0] != '4') {
		e.note(d.name)
		return
	}
	if len(d.args) < 2 {
		e.level.redirected = true
		return
	}
	matches, err := matchesRule(d.args[1], e.URL, false)
	if d.name == "redirect" {
		rest, below := strings.CutPrefix(e.URL, strings.TrimSuffix(d.args[1], "/"))
		matches, err = below && (rest == "" || rest[0] == '/'), nil
	}
	if err != nil {
		e.note(d.name)
	}
	e.level.redirected = e.level.redirected || matches || err != nil
}
