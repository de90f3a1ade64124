package config

import "path/filepath"

// Paths names everything below the data root, so that nothing else spells a path of it.
type Paths struct {
	root string
}

// Paths returns the paths of this instance.
func (c Config) Paths() Paths { return Paths{root: c.Root} }

// PathsBelow returns the paths of a data root.
func PathsBelow(root string) Paths { return Paths{root: root} }

func (p Paths) at(parts ...string) string {
	return filepath.Join(append([]string{p.root}, parts...)...)
}

// Root is the data root itself.
func (p Paths) Root() string { return p.at() }

// Config is the configuration file.
func (p Paths) Config() string { return p.at("chatiere.yaml") }

// Platform says how the platform's containers are made; the worker writes it.
func (p Paths) Platform() string { return p.at("platform.json") }

// DatabaseDeaths is the list of the deaths of the sites' database that the worker knows of.
func (p Paths) DatabaseDeaths() string { return p.at("database-deaths.json") }

// ComposeEnv holds the values that docker-compose.yml asks for.
func (p Paths) ComposeEnv() string { return p.at("compose.env") }

// RecordsMark says how far the records have come that were worked by on this data root.
func (p Paths) RecordsMark() string { return p.at("records.json") }

// RecordsConsent is root's word that other records are to be worked by.
func (p Paths) RecordsConsent() string { return p.at("records.accept") }

// SetupLock keeps two setups apart.
func (p Paths) SetupLock() string { return p.at(".setup.lock") }

// Secrets is the directory of passwords and keys.
func (p Paths) Secrets() string { return p.at("secrets") }

// Secret is one password or key.
func (p Paths) Secret(name string) string { return p.at("secrets", name) }

// SecretsOf is the directory with the copies that a container of somebody else's making reads ("keycloak", "mariadb" …).
func (p Paths) SecretsOf(container string) string { return p.at("secrets", container) }

// gatewayName is the directory of the gateway's own secrets.
const gatewayName = "gateway"

// GatewaySecrets is what the gateway alone reads.
func (p Paths) GatewaySecrets() string { return p.SecretsOf(gatewayName) }

// MailCA is an authority, beside the system's, that the smarthost's certificate may be from. It need not be there.
func (p Paths) MailCA() string { return p.at("secrets", gatewayName, "mail_ca.pem") }

// MailQueue is where the gateway keeps mail.
func (p Paths) MailQueue() string { return p.at("spool", "gateway", "mail") }

// RoutesDir holds the route table.
func (p Paths) RoutesDir() string { return p.at("routes") }

// Routes is the route table; the worker writes it, the proxy reads it.
func (p Paths) Routes() string { return p.at("routes", "routes.json") }

// CertsDir holds what the proxy shows to browsers.
func (p Paths) CertsDir() string { return p.at("certs") }

// Wildcard is the certificate and its chain.
func (p Paths) Wildcard() string { return p.at("certs", "wildcard.pem") }

// WildcardKey is the certificate's key.
func (p Paths) WildcardKey() string { return p.at("certs", "wildcard-key.pem") }

// CA is the local authority's certificate.
func (p Paths) CA() string { return p.at("certs", "ca.pem") }

// CADir holds the local authority's key, for the worker alone.
func (p Paths) CADir() string { return p.at("ca") }

// CAKey is the local authority's key.
func (p Paths) CAKey() string { return p.at("ca", "ca-key.pem") }

// EgressDir holds what each site may reach.
func (p Paths) EgressDir() string { return p.at("egress") }

// Egress is the list of what one site may reach.
func (p Paths) Egress(site string) string { return p.at("egress", site+".json") }

// Backups holds a repository for each association.
func (p Paths) Backups() string { return p.at("backups") }

// AuditDir holds what the audit trail is compared with, for root alone.
func (p Paths) AuditDir() string { return p.at("audit") }

// Spool holds what proxy and gateway leave for the worker.
func (p Paths) Spool() string { return p.at("spool") }

// ProxySpool is where the proxy leaves traffic for the worker.
func (p Paths) ProxySpool() string { return p.at("spool", "proxy") }

// GatewaySpool is where the gateway leaves its log for the worker.
func (p Paths) GatewaySpool() string { return p.at("spool", "gateway") }

// SitesDir holds what belongs to the sites.
func (p Paths) SitesDir() string { return p.at("sites") }

// Site is one site's directory.
func (p Paths) Site(id string) string { return p.at("sites", id) }

// SiteData is what a site may write.
func (p Paths) SiteData(id string) string { return p.at("sites", id, "data") }

// SiteSecrets is what a site's processes read as secrets.
func (p Paths) SiteSecrets(id string) string { return p.at("sites", id, "secrets") }

// MariaDBData holds the files of the panel's database.
func (p Paths) MariaDBData() string { return p.at("mariadb") }

// SitesMariaDBData holds the files of the sites' database.
func (p Paths) SitesMariaDBData() string { return p.at("mariadb-sites") }
