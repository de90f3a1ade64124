package config

import "time"

// Config is one instance's whole configuration, after defaults, checks and overrides.
type Config struct {
	// Instance names this installation among others on the same machine; it is part of container names and labels.
	Instance string
	// Root is the data root, an absolute path that is the same inside and outside the containers.
	Root string
	// Domain is the name below which sites live.
	Domain string
	// PublicPort is the HTTPS port in every public URL; it differs from the one in Proxy.HTTPS behind a port mapping.
	PublicPort int
	// Language is what pages speak to people who have not chosen: "fr" or "en".
	Language string

	Coop          Coop
	Panel         Panel
	Proxy         Proxy
	TLS           TLS
	Database      Database
	SitesDatabase SitesDatabase
	Identity      Identity
	Egress        Egress
	Mail          Mail
	Sites         Sites
	Disk          Disk
	Sessions      Sessions
	Audit         Audit
	Docker        Docker

	clockOffset time.Duration
}

// Sessions bounds how long people stay signed in.
type Sessions struct {
	IdleMinutes int // without a request
	Hours       int // whatever happens
}

// Audit is how long the audit trail is kept.
type Audit struct {
	KeepDays int
}

// Coop is who runs this.
type Coop struct {
	Name    string
	Contact string // an e-mail address shown to people who are stuck; may be empty
}

// Panel is what people talk to.
type Panel struct {
	Host string
}

// Proxy is the edge.
type Proxy struct {
	HTTPS string // listen address, "host:port" or ":port"
	HTTP  string // listen address of the redirect to HTTPS

	Connections       int // open at once, of all visitors
	ClientConnections int // of one address, and as many requests in flight
}

// TLSMode says where the certificate comes from.
type TLSMode string

// The sources of the certificate.
const (
	// TLSLocalCA is an authority made here, limited to our names, for trying things out.
	TLSLocalCA TLSMode = "local-ca"
	// TLSFiles is a certificate that somebody else renews.
	TLSFiles TLSMode = "files"
)

// TLS says which certificate the proxy shows.
type TLS struct {
	Mode TLSMode
	Cert string // path of the chain; mode "files" only
	Key  string // path of the key; mode "files" only
}

// Database is the panel's MariaDB. One user per right: the panel cannot change the audit trail, nobody but the
// migrations can change tables.
type Database struct {
	Socket      string
	Name        string
	PanelUser   string
	WorkerUser  string
	MigrateUser string
}

// SitesDatabase is the MariaDB that holds one database per site.
type SitesDatabase struct {
	Socket    string
	AdminUser string
	// TemporaryTables are the ids of sites that may make temporary tables, besides those whose template grants it.
	TemporaryTables []string
}

// Identity is the Keycloak realm people sign in with, ours or somebody else's.
type Identity struct {
	Issuer        string
	ClientID      string
	AdminClientID string // service account with rights on the realm; may be empty for an external realm
	External      bool   // true: not our container, so nothing starts or prepares one
	Rights        string // what rights are taken from: RightsGroups, RightsDirectory, RightsRoles, or "" for nothing
	// Former are people of a realm from before, each as its issuer, their subject there and their subject in this realm.
	Former []string
}

// What people's rights are taken from.
const (
	RightsGroups    = "groups"    // paths of groups in the token, of our own Keycloak
	RightsDirectory = "directory" // groups by their ids, which the worker reads with its account
	RightsRoles     = "roles"     // roles of the panel's client in the token
)

// Egress is what sites may reach beyond their templates' lists.
type Egress struct {
	Permit []string // targets that may be private addresses: "name:port", "address:port" or a range
	Allow  []string // names every site may reach: "name", "name:port", "*.name"

	Connections          int // of one site at once
	ConnectionsPerSecond int // new ones of one site, in the long run
	AllConnections       int // of all sites at once
	MiBPerSecond         int // of one site, both ways together, in the long run
	BurstMiB             int // of one site, at once after a rest
}

// Sites are the limits of one site's container.
type Sites struct {
	FirstUID  int     // first of the range of uids; a uid is never used twice
	LastUID   int     // last of the range
	MemoryMiB int     // memory limit, MiB
	Pids      int     // processes and threads
	CPUs      float64 // processor cores
}

// Disk is what the data root lies on.
type Disk struct {
	ReserveMiB int // what no site and no work may eat, MiB; 0: a twentieth of the disk, at most 2 GiB
}

// Docker is the engine the worker drives.
type Docker struct {
	Host string // "unix://" and the socket's path
}

// Numeric ids of the platform's processes, the same on every machine, so that a data root can move.
const (
	ProxyGID    = 64010
	PanelUID    = 64020
	GatewayUID  = 64030
	MariaDBUID  = 64040
	KeycloakUID = 64050
)

// DefaultRoot is the data root unless the file says otherwise.
const DefaultRoot = "/var/lib/chatiere"
