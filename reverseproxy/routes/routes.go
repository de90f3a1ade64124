// Package routes is the table that tells the proxy which host leads where: its types, its file format,
// the immutable index compiled from it, and the watcher that follows the file.
//
// It knows nothing of sites, templates or databases, only of hosts, sockets and states; it never
// speaks HTTP. Start reading at Table, then Compile, then Watcher.
package routes

import "time"

// Format is the version of the file format that this package writes. It reads that one and the one before, once there is
// one, since roles are upgraded one after the other.
const (
	Format       = 1
	oldestFormat = 1
)

// State decides how the proxy answers requests for a route.
type State string

// The states of a route. Only StateServing forwards requests to the upstream.
const (
	StateServing  State = "serving"
	StateStarting State = "starting"
	StateAsleep   State = "asleep"
	StateDown     State = "down"
	StateRefused  State = "refused"
)

// Valid reports whether s is one of the five states.
func (s State) Valid() bool {
	switch s {
	case StateServing, StateStarting, StateAsleep, StateDown, StateRefused:
		return true
	}
	return false
}

// Route leads one host to one upstream.
type Route struct {
	// Host is the public name, lower-case, without port or trailing dot.
	Host string `json:"host"`
	// Site names whose traffic this is; several hosts may share one.
	Site string `json:"site"`
	// State decides between the upstream and a page of the proxy.
	State State `json:"state"`
	// Upstream is "unix:" and an absolute path; it may be empty unless the state is serving.
	Upstream string `json:"upstream,omitempty"`
	// Lang is the language of the proxy's pages for visitors who ask for none.
	Lang string `json:"lang,omitempty"`
	// Refuse holds RE2 patterns over the cleaned, decoded path; a match is answered with 404.
	Refuse []string `json:"refuse,omitempty"`
	// SharedDomain is a name above Host whose other hosts belong to other people. Responses of the upstream then act on
	// Host alone: they set no cookie for that name or one above it, and clear no cookies.
	SharedDomain string `json:"shared_domain,omitempty"`
	// Cookies, unless empty, are the only ones the upstream receives, each once at most: a name, or the beginning of
	// one with "*" behind it.
	Cookies []string `json:"cookies,omitempty"`
	// Places is how many requests the upstream takes at once; 0 for what a site takes.
	Places int `json:"places,omitempty"`
	// MaxBody bounds the body of a request in bytes, which then has to come within seconds; 0 for no bound.
	MaxBody int64 `json:"max_body,omitempty"`
}

// Table is everything the proxy knows. A Table handed to Compile or EncodeTable is not kept.
type Table struct {
	// Version grows by one with each table of the same writer.
	Version int64
	// Written is the writer's time; with Version it decides which of two tables is newer.
	Written time.Time
	// Routes may be in any order; encoding sorts them by host.
	Routes []Route
	// PublicPort is the HTTPS port visitors type, which may differ from the one listened on.
	PublicPort int
}

// Supersedes reports whether t may replace old, which was taken into use at loaded.
//
// A higher version always may. A lower one may only if it was written later: that is a worker whose
// records were restored from a backup and who starts counting again, and it must not be locked out.
// A table that is both lower and older is a stray copy and may not. An old table dated in the future
// (its writer's clock was wrong) counts as written when it was taken into use, so that it can be
// followed by a correct one.
func (t Table) Supersedes(old Table, loaded time.Time) bool {
	if t.Version > old.Version {
		return true
	}
	since := old.Written
	if loaded.Before(since) {
		since = loaded
	}
	return t.Written.After(since)
}
