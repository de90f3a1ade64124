package tenants

import (
	"strconv"
	"strings"
	"time"
)

// Site is one application of one association at one host name.
type Site struct {
	ID            string // see NewSiteID
	AssociationID string
	Template      string // name in the catalogue, such as "wordpress"
	Name          string // the title visitors see; chosen by the association
	Host          string // canonical host name, lower-case, ASCII
	UID           int    // user and group id of its processes; never reused
	State         SiteState
	AdminEmail    string
	CreatedAt     time.Time
	BinnedAt      *time.Time // set while the site lies in the bin
	BinnedFrom    SiteState  // what it was before the bin, and will be after it: ready or suspended; "" outside the bin
	BinnedBy      Side       // who put it there; "" outside the bin
	Probe         Probe
	DiskBytes     int64 // files and database, as last measured
	// Release is what visitors reach; without id until the site has been made.
	Release Release
	// UpdateAvailable: a release made now from the same template would differ from the site's, as last compared.
	UpdateAvailable bool
}

// SiteState is the recorded state of a site; Probe is its observed state.
type SiteState string

// The states of a site. Only sites in StateReady are served; StateSuspended answers a page that says so.
const (
	StateCreating  SiteState = "creating"
	StateReady     SiteState = "ready"
	StateSuspended SiteState = "suspended"
	StateBinned    SiteState = "binned" // stopped, its data kept, restorable until BinPeriod is over
	StatePurged    SiteState = "purged" // nothing of it is left but this row
	StateAborted   SiteState = "aborted"
)

// Reopens returns the state that a site in the bin comes back to.
func (s Site) Reopens() SiteState {
	if s.BinnedFrom == StateSuspended {
		return StateSuspended
	}
	return StateReady
}

// Live reports whether the site still has its host name and its data.
func (s SiteState) Live() bool {
	return s == StateCreating || s == StateReady || s == StateSuspended || s == StateBinned
}

// BinPeriod is how long a deleted site can be brought back.
const BinPeriod = 30 * 24 * time.Hour

// PurgeableAt returns when the site may be purged automatically, and false when it is not in the bin.
func (s Site) PurgeableAt() (time.Time, bool) {
	if s.BinnedAt == nil {
		return time.Time{}, false
	}
	return s.BinnedAt.Add(BinPeriod), true
}

// Probe is the result of the last probe of a site.
type Probe struct {
	At     time.Time // zero: never looked
	Health Health
	Detail string // for volunteers, not for members
}

// Page is the request of a probe and the expected response.
type Page struct {
	Path     string `json:"path"` // begins with a slash
	Status   int    `json:"status"`
	Contains string `json:"contains,omitempty"` // text in the answer's first MiB, in whatever case; "": any
}

// Health is the health that a probe observed.
type Health string

// The values of Health.
const (
	HealthUnknown Health = ""
	HealthUp      Health = "up"
	HealthDown    Health = "down"
	HealthAsleep  Health = "asleep"
)

// Database returns the name of the site's database and of its database user, which are the same, on the server that all sites
// share; "" for a site that has none there.
func (s Site) Database() string {
	if s.Release.DatabaseEngine != "" {
		return ""
	}
	return DatabaseName(s.ID, s.Release.Generation)
}

// DatabaseName returns the database (and database user) of a generation of a site's data. The first one bears the site's
// name alone; 0 is the first, too.
func DatabaseName(siteID string, generation int) string {
	name := databasePrefix + siteID
	if generation > 1 {
		name += "_" + strconv.Itoa(generation)
	}
	return name
}

const databasePrefix = "site_"

// DatabaseSite returns the site that a database or database user is named after, and "" for one that is not named like a
// site's.
func DatabaseSite(name string) string {
	id, ok := strings.CutPrefix(name, databasePrefix)
	if !ok {
		return ""
	}
	id, _, _ = strings.Cut(id, "_")
	return id
}

// DataDirectory returns the directory of a generation of a site's data, below the directory of the site.
func DataDirectory(generation int) string {
	if generation > 1 {
		return "data-" + strconv.Itoa(generation)
	}
	return "data"
}

// Unreleased is a live site that was made before there were releases.
type Unreleased struct {
	Site             Site
	Version, ImageID string
}
