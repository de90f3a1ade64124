// Package provision has the use cases that create, change and delete associations and sites: the requests of people
// (Provisioner), the durable plans that execute them (Plans), and the Reconciler. It declares the ports it needs and knows
// no adapter.
package provision

import (
	"context"
	"io"

	"chatiere/tenants"
)

// Records is the part of the database the use cases need. Methods called with the context that Transact passes on take
// part in its transaction.
type Records interface {
	Transact(ctx context.Context, fn func(ctx context.Context) error) error
	// CreateAssociation inserts it; ErrConflict when another has the slug.
	CreateAssociation(ctx context.Context, a tenants.Association) error
	UpdateAssociation(ctx context.Context, a tenants.Association) error
	Association(ctx context.Context, id string) (tenants.Association, error)
	AssociationBySlug(ctx context.Context, slug string) (tenants.Association, error)
	// CreateSite inserts it and sets its UID from the sequence that never goes back; ErrConflict when a live site has the host.
	CreateSite(ctx context.Context, s *tenants.Site) error
	UpdateSite(ctx context.Context, s tenants.Site) error
	// NextRelease returns the number that the site's next release gets.
	NextRelease(ctx context.Context, siteID string) (int, error)
	// CreateRelease inserts a release; one that the same operation made already takes its place in r.
	CreateRelease(ctx context.Context, r *tenants.Release, d tenants.Definition) error
	Release(ctx context.Context, id string) (tenants.Release, error)
	Definition(ctx context.Context, releaseID string) (tenants.Definition, error)
	// SetRelease makes a release the one that visitors of its site reach.
	SetRelease(ctx context.Context, r tenants.Release) error
	// DeleteRelease forgets the release of a site that an operation made and gave up; absent is success, and the one that
	// the site has is never deleted.
	DeleteRelease(ctx context.Context, siteID, operationID string) error
	// SaveUpdateAvailable notes whether a release made now would differ from the site's, unless that is another by now.
	SaveUpdateAvailable(ctx context.Context, siteID, releaseID string, available bool) error
	// LastGeneration returns the highest generation that a release of the site names, 0 for a site without releases.
	LastGeneration(ctx context.Context, siteID string) (int, error)
	// SaveSnapshots replaces the list of an association's snapshots.
	SaveSnapshots(ctx context.Context, associationID string, all []tenants.Snapshot) error
	// Snapshot returns one that the site has.
	Snapshot(ctx context.Context, siteID, id string) (tenants.Snapshot, error)
	Site(ctx context.Context, id string) (tenants.Site, error)
	// Associations returns all that are not deleted.
	Associations(ctx context.Context) ([]tenants.Association, error)
	// LiveSites returns every site whose state is live.
	LiveSites(ctx context.Context) ([]tenants.Site, error)
	// HostTaken reports whether a live site answers at host.
	HostTaken(ctx context.Context, host string) (bool, error)
	// Audit appends to the audit trail, in the same transaction as what it tells.
	Audit(ctx context.Context, e tenants.AuditEntry) error
}

// Databases makes and removes the sites' databases and their users.
type Databases interface {
	// Ensure makes the database and its user with that password and rights on it alone, or puts them right.
	Ensure(ctx context.Context, name, operation, password string) error
	// Exists reports database and user apart.
	Exists(ctx context.Context, name string) (database, user bool, err error)
	// Drop removes both and ends their connections; absent ones are success.
	Drop(ctx context.Context, name string) error
	// Unlock lets the site's user in again that was locked for what it did; one that is not locked is success.
	Unlock(ctx context.Context, name string) error
	// Size returns the bytes of the database's tables and indexes.
	Size(ctx context.Context, name string) (int64, error)
}

// Disk makes and removes what a site has on the data root.
type Disk interface {
	// Ensure makes the site's directories with their owners, and the secrets that do not exist yet.
	Ensure(ctx context.Context, s tenants.Site) error
	// EnsureSockets makes the directories of the sockets of the site's release, and of its data those that are mounted by
	// themselves.
	EnsureSockets(ctx context.Context, s tenants.Site) error
	// RetireSockets removes the directories of the sockets of all other releases of the site.
	RetireSockets(ctx context.Context, s tenants.Site) error
	// Has reports whether the site's data are there, and whether the directories of its sockets are as Ensure makes them.
	Has(ctx context.Context, s tenants.Site) (data, sockets bool, err error)
	// Ready reports whether everything Ensure makes is there.
	Ready(ctx context.Context, s tenants.Site) (bool, error)
	// Remove removes everything of the site; absent is success.
	Remove(ctx context.Context, siteID string) error
	// RemoveData removes the data directory of the site's release; absent is success.
	RemoveData(ctx context.Context, s tenants.Site) error
	// Secret reads one of the site's secrets.
	Secret(ctx context.Context, siteID, name string) (string, error)
	// Usage returns the bytes the site's files take.
	Usage(ctx context.Context, siteID string) (int64, error)
	// Room returns ErrDiskFull (wrapped, saying how much is missing) when less than need bytes are free above the reserve.
	Room(ctx context.Context, need int64) error
}

// Groups is the part of Keycloak's groups the use cases need.
type Groups interface {
	// EnsureAssociation makes /assos/<slug> with its two groups and returns its id.
	EnsureAssociation(ctx context.Context, slug, operation string) (id string, err error)
	// AssociationExists reports whether all three groups are there.
	AssociationExists(ctx context.Context, slug string) (id string, ok bool, err error)
	// RemoveAssociation removes the group and what is below it; absent is success.
	RemoveAssociation(ctx context.Context, slug string) error
}

// Routes publishes which host leads where.
type Routes interface {
	// Publish writes the table from the records as they are now, if it differs from the one in force.
	Publish(ctx context.Context) error
	// Published returns the state of a host's route, "" when it has none.
	Published(ctx context.Context, host string) (state string, err error)
	// Await waits until the proxy serves by the table in force.
	Await(ctx context.Context) error
}

// Egress publishes what a site may reach.
type Egress interface {
	Publish(ctx context.Context, s tenants.Site) error
	Withdraw(ctx context.Context, siteID string) error
	Published(ctx context.Context, siteID string) (bool, error)
}

// Templates resolves a template's name and version.
type Templates interface {
	// Latest returns the version a new site gets; tenants.ErrNotFound when there is no such template.
	Latest(name string) (version string, err error)
	// Has reports whether there is such a version.
	Has(name, version string) bool
	// Images returns the content ids of the version's images by container, building those that are not there.
	Images(ctx context.Context, name, version string, progress io.Writer) (map[string]string, error)
	// Built returns what Images would return at once, nil when it would have to build first.
	Built(ctx context.Context, name, version string) (map[string]string, error)
	// Define completes a release of the site as its template makes it now: its containers, what keeps its database, its
	// places, and its mode where that is empty. Of r it reads version, mode, generation and sockets. Containers have the
	// names of the template, also as owners of a network; the engine's names, and labels, are left to the caller. The image
	// under "" serves every container of the template.
	Define(s tenants.Site, r tenants.Release, images map[string]string) (tenants.Release, tenants.Definition, error)
}

// Prober requests a page of a site.
type Prober interface {
	// Check requests the page; an unexpected response is an error that describes it.
	Check(ctx context.Context, s tenants.Site, want tenants.Page) error
}

// Inventory lists what really exists, so that the reconciler can compare it with the records.
type Inventory struct {
	Homes     SiteIDs // on the data root
	Databases DatabaseList
	Egress    SiteIDs   // lists of what sites may reach
	Groups    GroupList // nil: this instance has no account that sees them
}

// SiteIDs lists the sites that have something in a place.
type SiteIDs interface {
	IDs(ctx context.Context) ([]string, error)
}

// DatabaseList lists all databases and database users that are named like a site's.
type DatabaseList interface {
	List(ctx context.Context) ([]FoundDatabase, error)
}

// FoundDatabase is one name under which a database, a user or both are there.
type FoundDatabase struct {
	Name      string
	Database  bool
	User      bool
	Instance  string // from the database's mark; "" when it has none of ours, or no database is there
	Operation string // which made it
}

// GroupList lists the groups directly below /assos.
type GroupList interface {
	List(ctx context.Context) ([]FoundGroup, error)
}

// FoundGroup is one group that is named like an association's.
type FoundGroup struct {
	Slug      string
	Instance  string // "" for one that somebody made by hand
	Operation string // which made it
}
