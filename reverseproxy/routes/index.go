package routes

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatiere/reverseproxy/hostname"
)

const httpsPort = 443

// Index is a table compiled for lookup. It is immutable and safe for concurrent use.
type Index struct {
	table  Table
	loaded time.Time
	sum    string
	hosts  map[string]*Entry
}

// Entry is one compiled route.
type Entry struct {
	Route
	// Socket is the path of the upstream's unix socket, empty if the route has none.
	Socket string
	// Authority is the host as visitors write it: with the public port unless that is 443.
	Authority string
	refuse    []matcher
}

// Compile validates t and builds its index.
func Compile(t Table, loaded time.Time) (*Index, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	t.Routes = sorted(t.Routes)
	_, sum, err := encodeRoutes(t)
	if err != nil {
		return nil, err
	}
	index := &Index{table: t, loaded: loaded, sum: sum, hosts: make(map[string]*Entry, len(t.Routes))}
	lists := make(map[string][]matcher)
	for _, route := range t.Routes {
		index.hosts[route.Host] = &Entry{
			Route:     route,
			Socket:    strings.TrimPrefix(route.Upstream, unixScheme),
			Authority: authority(route.Host, t.PublicPort),
			refuse:    matchers(route.Refuse, lists),
		}
	}
	return index, nil
}

func authority(host string, port int) string {
	if port == httpsPort {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// Lookup finds the route of a Host header or HTTP/2 authority. It is nil for a host that has none,
// and on a nil Index, which is the index of a proxy that has not seen a table yet.
func (x *Index) Lookup(authority string) *Entry {
	if x == nil {
		return nil
	}
	if entry, ok := x.hosts[authority]; ok {
		return entry
	}
	host, ok := hostname.FromAuthority(authority)
	if !ok {
		return nil
	}
	return x.hosts[host]
}

// Version is that of the table.
func (x *Index) Version() int64 { return x.table.Version }

// Len is the number of routes.
func (x *Index) Len() int { return len(x.hosts) }

// PublicPort is the port of the table, or 443 for a nil Index.
func (x *Index) PublicPort() int {
	if x == nil {
		return httpsPort
	}
	return x.table.PublicPort
}

// Refuses reports whether the route's template wants path answered with 404. The path must be
// decoded and clean.
func (e *Entry) Refuses(path string) bool {
	for _, m := range e.refuse {
		if m.match(path) {
			return true
		}
	}
	return false
}

// matcher is a pattern with texts that every match holds: most patterns are anchored under a directory
// or name an extension, and looking for those costs a hundredth of the pattern.
type matcher struct {
	prefix, part string
	pattern      *regexp.Regexp
}

func (m matcher) match(path string) bool {
	return strings.HasPrefix(path, m.prefix) && strings.Contains(path, m.part) && m.pattern.MatchString(path)
}

// matchers compiles a list once for all the routes that share it.
func matchers(patterns []string, known map[string][]matcher) []matcher {
	if len(patterns) == 0 {
		return nil
	}
	key := strings.Join(patterns, "\x00")
	if list, ok := known[key]; ok {
		return list
	}
	list := make([]matcher, 0, len(patterns))
	for _, pattern := range slices.Compact(slices.Sorted(slices.Values(patterns))) {
		re, err := regexp.Compile(pattern)
		if err != nil {
			continue // cannot be: the table is valid
		}
		prefix, part := literals(pattern)
		list = append(list, matcher{prefix: prefix, part: part, pattern: re})
	}
	known[key] = list
	return list
}
