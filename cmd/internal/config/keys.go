package config

import "slices"

// key describes one key of the file: where it goes, what is expected there, and a value that would do.
type key struct {
	path    string
	expect  string
	example string // as it would stand in the file, behind the key
	into    func(*Config) any
	check   func(*Config) string // what is wrong with the value, "" for nothing; nil when any value will do
}

// keys is every key there is, in the order of the file. Loading, checking, overriding and explaining walk this list.
var keys = slices.Concat(keysBefore, mailKeys, keysAfter)

var keysBefore = []key{
	{"instance", "a short name: lower-case letters, digits and single hyphens, at most 20", "lilas",
		func(c *Config) any { return &c.Instance }, checkInstance},
	{"root", "an absolute path without spaces, at least two levels deep", "/var/lib/chatiere",
		func(c *Config) any { return &c.Root }, checkRoot},
	{"domain", "a lower-case domain name of at least two labels, without a port", "lilas.example",
		func(c *Config) any { return &c.Domain }, checkDomain},
	{"public_port", "a port number, 1 to 65535", "443",
		func(c *Config) any { return &c.PublicPort }, checkPublicPort},
	{"language", "fr or en", "fr",
		func(c *Config) any { return &c.Language }, checkLanguage},

	{"coop.name", "a name of 1 to 80 characters on one line", `"Coop des Lilas"`,
		func(c *Config) any { return &c.Coop.Name }, checkCoopName},
	{"coop.contact", "an e-mail address, or nothing", `"contact@lilas.example"`,
		func(c *Config) any { return &c.Coop.Contact }, checkContact},
	{"panel.host", "a lower-case host name other than the sign-in's", "panel.lilas.example",
		func(c *Config) any { return &c.Panel.Host }, checkPanelHost},

	{"proxy.https", `an address to listen on, "host:port" or ":port"`, `":443"`,
		func(c *Config) any { return &c.Proxy.HTTPS }, func(c *Config) string { return checkListen(c.Proxy.HTTPS) }},
	{"proxy.http", `an address to listen on, "host:port" or ":port", other than proxy.https`, `":80"`,
		func(c *Config) any { return &c.Proxy.HTTP }, checkProxyHTTP},
	{"proxy.connections", "a number of connections, 64 to 65536", "4096",
		func(c *Config) any { return &c.Proxy.Connections }, func(c *Config) string { return within(c.Proxy.Connections, 64, 65536) }},
	{"proxy.client_connections", "a number of connections, 16 to 65536", "256",
		func(c *Config) any { return &c.Proxy.ClientConnections }, func(c *Config) string { return within(c.Proxy.ClientConnections, 16, 65536) }},

	{"tls.mode", "local-ca or files", "local-ca",
		func(c *Config) any { return (*string)(&c.TLS.Mode) }, checkTLSMode},
	{"tls.files.cert", "with mode files: the absolute path of the certificate and its chain; else nothing", "/etc/ssl/lilas.pem",
		func(c *Config) any { return &c.TLS.Cert }, func(c *Config) string { return checkTLSFile(c, c.TLS.Cert) }},
	{"tls.files.key", "with mode files: the absolute path of the key; else nothing", "/etc/ssl/private/lilas.pem",
		func(c *Config) any { return &c.TLS.Key }, func(c *Config) string { return checkTLSFile(c, c.TLS.Key) }},

	{"database.socket", "the absolute path of a socket, at most 107 bytes", "/var/lib/chatiere/run/mariadb/mysqld.sock",
		func(c *Config) any { return &c.Database.Socket }, checkDatabaseSocket},
	{"database.name", "a database name: lower-case letters, digits and _, at most 48", "chatiere",
		func(c *Config) any { return &c.Database.Name }, func(c *Config) string { return checkSQLName(c.Database.Name) }},
	{"database.panel_user", "a database user: lower-case letters, digits and _, at most 48", "chatiere_panel",
		func(c *Config) any { return &c.Database.PanelUser }, func(c *Config) string { return checkSQLName(c.Database.PanelUser) }},
	{"database.worker_user", "a database user other than panel_user", "chatiere_worker",
		func(c *Config) any { return &c.Database.WorkerUser }, checkWorkerUser},
	{"database.migrate_user", "a database user other than panel_user and worker_user", "chatiere_migrate",
		func(c *Config) any { return &c.Database.MigrateUser }, checkMigrateUser},

	{"sites_database.socket", "the absolute path of a socket, at most 107 bytes", "/var/lib/chatiere/run/mariadb-sites/mysqld.sock",
		func(c *Config) any { return &c.SitesDatabase.Socket }, checkSitesSocket},
	{"sites_database.admin_user", "a database user: lower-case letters, digits and _, at most 48", "chatiere_sites",
		func(c *Config) any { return &c.SitesDatabase.AdminUser },
		func(c *Config) string { return checkSQLName(c.SitesDatabase.AdminUser) }},
	{"sites_database.temporary_tables", "a list of sites' ids", `["s7k2m9qx4p"]`,
		func(c *Config) any { return &c.SitesDatabase.TemporaryTables }, checkSiteIDs},

	{"identity.issuer", "an https URL of a realm; of realm chatiere on public_port unless identity.external is true",
		`"https://id.lilas.example/realms/chatiere"`, func(c *Config) any { return &c.Identity.Issuer }, checkIssuer},
	{"identity.client_id", "a client of the realm: letters, digits, . _ -", "panel",
		func(c *Config) any { return &c.Identity.ClientID }, func(c *Config) string { return checkClientID(c.Identity.ClientID) }},
	{"identity.admin_client_id", "a service account of the realm, or nothing if identity.external is true", "chatiere-worker",
		func(c *Config) any { return &c.Identity.AdminClientID }, checkAdminClientID},
	{"identity.external", "true or false", "false",
		func(c *Config) any { return &c.Identity.External }, nil},
	{"identity.rights", "nothing, or roles if identity.external is true: groups for our own Keycloak, directory where identity.admin_client_id is set",
		"roles", func(c *Config) any { return &c.Identity.Rights }, checkRights},
	{"identity.former", "a list of people of a former realm: its issuer, their subject there, their subject now, with spaces between",
		`["https://old.example/realms/x 6c1f 8f2c"]`, func(c *Config) any { return &c.Identity.Former }, checkFormer},

	{"egress.permit", "a list of name:port, address:port or ranges", `["mirror.lan:443", "10.1.0.0/16"]`,
		func(c *Config) any { return &c.Egress.Permit }, checkPermit},
	{"egress.allow", "a list of host names, with a port or not, *. in front or not", `["api.example.org", "*.example.net:443"]`,
		func(c *Config) any { return &c.Egress.Allow }, checkAllow},
	{"egress.connections", "connections of one site at once, 1 to 1024", "64",
		func(c *Config) any { return &c.Egress.Connections }, func(c *Config) string { return within(c.Egress.Connections, 1, 1024) }},
	{"egress.connections_per_second", "new connections of one site per second, 1 to 1000", "20",
		func(c *Config) any { return &c.Egress.ConnectionsPerSecond },
		func(c *Config) string { return within(c.Egress.ConnectionsPerSecond, 1, 1000) }},
	{"egress.all_connections", "connections of all sites at once, at least egress.connections, at most 65536", "2048",
		func(c *Config) any { return &c.Egress.AllConnections },
		func(c *Config) string { return within(c.Egress.AllConnections, c.Egress.Connections, 65536) }},
	{"egress.mib_per_second", "MiB per second of one site, both ways together, 1 to 10240", "8",
		func(c *Config) any { return &c.Egress.MiBPerSecond }, func(c *Config) string { return within(c.Egress.MiBPerSecond, 1, 10240) }},
	{"egress.burst_mib", "MiB that one site may move at once after a rest, 1 to 102400", "256",
		func(c *Config) any { return &c.Egress.BurstMiB }, func(c *Config) string { return within(c.Egress.BurstMiB, 1, 102400) }},
}

var keysAfter = []key{
	{"sites.first_uid", "a uid of at least 100000", "200000",
		func(c *Config) any { return &c.Sites.FirstUID }, checkFirstUID},
	{"sites.last_uid", "a uid at least 100 above sites.first_uid", "265535",
		func(c *Config) any { return &c.Sites.LastUID }, checkLastUID},
	{"sites.memory_mib", "MiB, 64 to 65536", "384",
		func(c *Config) any { return &c.Sites.MemoryMiB }, func(c *Config) string { return within(c.Sites.MemoryMiB, 64, 65536) }},
	{"sites.pids", "a number, 16 to 4096", "128",
		func(c *Config) any { return &c.Sites.Pids }, func(c *Config) string { return within(c.Sites.Pids, 16, 4096) }},
	{"sites.cpus", "cores, 0.1 to 64", "1.0",
		func(c *Config) any { return &c.Sites.CPUs }, checkCPUs},

	{"disk.reserve_mib", "MiB, 64 to 1048576, or nothing for a twentieth of the disk", "4096",
		func(c *Config) any { return &c.Disk.ReserveMiB }, checkReserve},
	{"sessions.idle_minutes", "minutes, 5 to 1440", "480",
		func(c *Config) any { return &c.Sessions.IdleMinutes }, func(c *Config) string { return within(c.Sessions.IdleMinutes, 5, 1440) }},
	{"sessions.hours", "hours, 1 to 168", "24",
		func(c *Config) any { return &c.Sessions.Hours }, func(c *Config) string { return within(c.Sessions.Hours, 1, 168) }},

	{"audit.keep_days", "days, 183 (six months) to 1096 (three years)", "366",
		func(c *Config) any { return &c.Audit.KeepDays }, func(c *Config) string { return within(c.Audit.KeepDays, 183, 1096) }},

	{"docker.host", "unix:// and the absolute path of the engine's socket", `"unix:///var/run/docker.sock"`,
		func(c *Config) any { return &c.Docker.Host }, checkDockerHost},
}

// section reports whether path is the parent of a key ("coop", "tls.files").
func section(path string) bool {
	for _, k := range keys {
		if len(k.path) > len(path) && k.path[:len(path)] == path && k.path[len(path)] == '.' {
			return true
		}
	}
	return false
}

func findKey(path string) (key, bool) {
	for _, k := range keys {
		if k.path == path {
			return k, true
		}
	}
	return key{}, false
}
