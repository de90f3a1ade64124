package tenants

import "time"

// Release is what of a site is meant to run: made once from a template and the settings in force, never changed, and kept
// with its history. A container is compared with its release, so that a changed template, setting or program reaches a
// living site only by a newer release. The bulk of it is its [Definition].
type Release struct {
	ID         string // see NewReleaseID; "" of a site that has none yet
	SiteID     string
	Number     int // counts the site's releases from 1
	Template   string
	Version    string // in the template
	Mode       string // one of the template's; "" before the release is made: the template's first
	Generation int    // of the site's data: which directory and database; see [DatabaseName]
	// Sockets is the directory of its sockets below run/app/<site>; "": that directory itself, of releases recorded from
	// containers that were made before there were releases.
	Sockets string
	// DatabaseEngine is what keeps its database: "" is the server that all sites share.
	DatabaseEngine string
	// Places are the directories below the site's data that are not writable in every mode, and are mounted by themselves.
	Places     []string
	Containers []ReleaseContainer // in the order in which they are started
	CreatedAt  time.Time
	// OperationID is what made it; "" when it was recorded from what ran already.
	OperationID string
}

// ReleaseContainer is one container of a release.
type ReleaseContainer struct {
	Name      string `json:"name"`      // in the template, such as "web"
	Container string `json:"container"` // in the engine
	ImageID   string `json:"image"`     // by content ("sha256:…")
	Front     bool   `json:"front,omitempty"`
	// Foreign is a front container that is no image of ours, or answers on a port: it has no pulse.
	Foreign bool `json:"foreign,omitempty"`
}

// The values of [Release.DatabaseEngine] beside "".
const (
	DatabasePostgreSQL = "postgresql" // a container of the release, with its data below the site's
	DatabaseNone       = "none"
)

// Exclusive reports whether its containers must never run beside those of another release: two servers on the same files
// would destroy them.
func (r Release) Exclusive() bool { return r.DatabaseEngine == DatabasePostgreSQL }

// Named returns the container of that name in the template; the zero value when there is none.
func (r Release) Named(name string) ReleaseContainer {
	for _, c := range r.Containers {
		if c.Name == name {
			return c
		}
	}
	return ReleaseContainer{}
}

// Front returns the container that answers HTTP and runs the hooks that name no other; the zero value when there is none.
func (r Release) Front() ReleaseContainer {
	for _, c := range r.Containers {
		if c.Front {
			return c
		}
	}
	return ReleaseContainer{}
}

// Definition is everything that a release fixes: how its containers are made and how to live with them.
type Definition struct {
	Containers []ContainerSpec `json:"containers"` // in the order of the release's containers
	Hooks      []Hook          `json:"hooks"`
	// Ready is the page by which a probe knows that the site works.
	Ready Page `json:"ready"`
	// CronEvery is how often the hook "cron" wants to run, in nanoseconds; 0: never.
	CronEvery time.Duration `json:"cron_every"`
}

// Hook is a command of a release.
type Hook struct {
	Name string `json:"name"`
	// Container is the one that it runs in, by its name in the template; "": the front one.
	Container string        `json:"container,omitempty"`
	Command   []string      `json:"command"`
	Env       []string      `json:"env,omitempty"`
	Timeout   time.Duration `json:"timeout"` // nanoseconds
}

// Hook returns a hook by name.
func (d Definition) Hook(name string) (Hook, bool) {
	for _, h := range d.Hooks {
		if h.Name == name {
			return h, true
		}
	}
	return Hook{}, false
}

// NewReleaseID returns a new id of a release.
func NewReleaseID() string { return "r" + randomSigns(idLength) }
