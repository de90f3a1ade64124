package config

// maxSocket is what sockaddr_un holds, less the byte that ends it.
const maxSocket = 107

// specimen is a site id as long as any; it stands in for all of them where lengths are checked.
const specimen = "s000000000"

// specimenRelease is a release's directory that few sites will ever outgrow.
const specimenRelease = "r999"

// RunDir holds every socket.
func (p Paths) RunDir() string { return p.at("run") }

// AppDir holds the sockets of all sites.
func (p Paths) AppDir() string { return p.at("run", "app") }

// App holds the sockets of one site.
func (p Paths) App(id string) string { return p.at("run", "app", id) }

// AppHTTPDir is where the web server of a site's release makes its socket; release is the directory of the release's
// sockets, "" of those that were recorded from containers of older versions.
func (p Paths) AppHTTPDir(id, release string) string { return p.at("run", "app", id, release, "http") }

// AppSocket is where a release of a site answers.
func (p Paths) AppSocket(id, release string) string {
	return p.at("run", "app", id, release, "http", "http.sock")
}

// AppGateDir is where the gateway makes the ways out of a site's release.
func (p Paths) AppGateDir(id, release string) string { return p.at("run", "app", id, release, "gate") }

// EgressSocket is the way out of a site's release.
func (p Paths) EgressSocket(id, release string) string {
	return p.at("run", "app", id, release, "gate", "egress.sock")
}

// SMTPSocket is where the mail of a site's release goes.
func (p Paths) SMTPSocket(id, release string) string {
	return p.at("run", "app", id, release, "gate", "smtp.sock")
}

// MariaDBDir holds the socket of the panel's database.
func (p Paths) MariaDBDir() string { return p.at("run", "mariadb") }

// MariaDBSocket is the panel's database.
func (p Paths) MariaDBSocket() string { return p.at("run", "mariadb", "mysqld.sock") }

// SitesMariaDBDir holds the socket of the sites' database; it is mounted in sites.
func (p Paths) SitesMariaDBDir() string { return p.at("run", "mariadb-sites") }

// SitesMariaDBSocket is the sites' database.
func (p Paths) SitesMariaDBSocket() string { return p.at("run", "mariadb-sites", "mysqld.sock") }

// KeycloakDir holds Keycloak's socket.
func (p Paths) KeycloakDir() string { return p.at("run", "keycloak") }

// KeycloakSocket is where the proxy finds Keycloak.
func (p Paths) KeycloakSocket() string { return p.at("run", "keycloak", "keycloak.sock") }

// ProxyDir holds the proxy's doors, each in a directory of its own.
func (p Paths) ProxyDir() string { return p.at("run", "proxy") }

// GatewayEdgeDir holds the proxy's door for the gateway.
func (p Paths) GatewayEdgeDir() string { return p.at("run", "proxy", "gateway") }

// GatewayEdgeSocket is the proxy's TLS listener for sites on the way to themselves, whom the gateway announces.
func (p Paths) GatewayEdgeSocket() string { return p.at("run", "proxy", "gateway", "edge.sock") }

// KeycloakEdgeDir holds the proxy's door for Keycloak.
func (p Paths) KeycloakEdgeDir() string { return p.at("run", "proxy", "keycloak") }

// KeycloakEdgeSocket is the proxy's TLS listener for Keycloak.
func (p Paths) KeycloakEdgeSocket() string { return p.at("run", "proxy", "keycloak", "edge.sock") }

// WorkerEdgeDir holds the proxy's door for the worker.
func (p Paths) WorkerEdgeDir() string { return p.at("run", "proxy", "worker") }

// WorkerEdgeSocket is the proxy's TLS listener for the worker.
func (p Paths) WorkerEdgeSocket() string { return p.at("run", "proxy", "worker", "edge.sock") }

// PanelDir holds what panel and proxy have for each other.
func (p Paths) PanelDir() string { return p.at("run", "panel") }

// PanelSocket is where the proxy finds the panel.
func (p Paths) PanelSocket() string { return p.at("run", "panel", "panel.sock") }

// PanelEdgeSocket is the proxy's TLS listener for the panel.
func (p Paths) PanelEdgeSocket() string { return p.at("run", "panel", "edge.sock") }

// CLIDir holds the panel's listener for the machine's root.
func (p Paths) CLIDir() string { return p.at("run", "cli") }

// CLISocket is the panel's listener for the machine's root.
func (p Paths) CLISocket() string { return p.at("run", "cli", "panel.sock") }

// WorkerDir holds the worker's socket for root and its lock.
func (p Paths) WorkerDir() string { return p.at("run", "worker") }

// WorkerSocket is where root asks the worker.
func (p Paths) WorkerSocket() string { return p.at("run", "worker", "worker.sock") }

// WorkerPanelDir holds the worker's socket for the panel.
func (p Paths) WorkerPanelDir() string { return p.at("run", "worker", "panel") }

// WorkerPanelSocket is where the panel nudges and asks the worker.
func (p Paths) WorkerPanelSocket() string { return p.at("run", "worker", "panel", "worker.sock") }

// WorkerLock is held by the one worker at work.
func (p Paths) WorkerLock() string { return p.at("run", "worker", "worker.lock") }

// sockets lists every socket below the root, with one site standing for all.
func (p Paths) sockets() []string {
	return []string{
		p.AppSocket(specimen, specimenRelease), p.EgressSocket(specimen, specimenRelease), p.SMTPSocket(specimen, specimenRelease),
		p.MariaDBSocket(), p.SitesMariaDBSocket(), p.KeycloakSocket(), p.GatewayEdgeSocket(), p.KeycloakEdgeSocket(), p.WorkerEdgeSocket(),
		p.PanelSocket(), p.PanelEdgeSocket(), p.CLISocket(), p.WorkerSocket(), p.WorkerPanelSocket(),
	}
}

// longestSocket returns the longest of them.
func (p Paths) longestSocket() string {
	longest := ""
	for _, s := range p.sockets() {
		if len(s) > len(longest) {
			longest = s
		}
	}
	return longest
}
