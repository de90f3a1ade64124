package htaccess

import "strings"

// hosts is what Order, Allow and Deny of Apache 2.2 say together.
type hosts struct {
	given        bool
	allowFirst   bool // Order allow,deny: who is named nowhere is refused
	allowed      bool
	refusedByOne bool
}

func (h hosts) allows() bool {
	if h.allowFirst {
		return h.allowed && !h.refusedByOne
	}
	return h.allowed || !h.refusedByOne
}

// access takes in one directive of either spelling.
func (e *evaluation) access(d directive, into *section) {
	if d.name == "require" {
		into.requires = append(into.requires, e.require(d.args))
		return
	}
	h := &into.hosts
	h.given = true
	if d.name == "order" {
		// "mutual-failure" is the same as "allow,deny".
		h.allowFirst = !strings.EqualFold(strings.Join(d.args, ""), "deny,allow")
		return
	}
	if len(d.args) < 2 || !strings.EqualFold(d.args[0], "from") {
		e.note(d.name)
		h.refusedByOne, h.allowFirst = true, true
		return
	}
	for _, from := range d.args[1:] {
		matches, known := e.from(from)
		if !known {
			e.note(d.name)
		}
		if d.name == "allow" {
			h.allowed = h.allowed || matches
		} else {
			h.refusedByOne = h.refusedByOne || matches || !known
		}
	}
}

// from reports whether the client is one of those that Allow and Deny name. Names of hosts and variables are not known.
func (e *evaluation) from(who string) (matches, known bool) {
	if strings.EqualFold(who, "all") {
		return true, true
	}
	p, ok := network(who)
	return ok && p.Contains(e.Client.Unmap()), ok
}
