package config

// Names of the secrets below the data root.
const (
	SecretDBRoot      = "db_root"
	SecretDBSitesRoot = "db_sites_root"
	SecretDBPanel     = "db_panel"
	SecretDBWorker    = "db_worker"
	SecretDBMigrate   = "db_migrate"
	SecretDBSites     = "db_sites"
	SecretDBKeycloak  = "db_keycloak"
	SecretOIDCPanel   = "oidc_panel"
	SecretOIDCWorker  = "oidc_worker"
	SecretSessionKey  = "session_key"
	SecretEntryKey    = "entry_key" // the panel's half of the key that sites let people in by
	SecretKCBootstrap = "kc_bootstrap"
	SecretBackupKey   = "backup_key" // every backup is readable with it, and none without
	// SecretMail lies in a directory that the gateway sees whole, so that it may come and go.
	SecretMail = gatewayName + "/mail_password"
)

// Secret returns the secret of a name.
func (c Config) Secret(name string) Secret { return Secret{name: name, path: c.Paths().Secret(name)} }

// SecretUse says who reads a secret, and from where it comes.
type SecretUse struct {
	Name     string
	OwnerUID int
	// Given is true for what an admin has to bring, because somebody else made it.
	Given bool
}

// SecretUses lists the secrets this configuration needs.
func (c Config) SecretUses() []SecretUse {
	uses := []SecretUse{
		{Name: SecretDBRoot, OwnerUID: MariaDBUID},
		{Name: SecretDBSitesRoot, OwnerUID: MariaDBUID},
		{Name: SecretDBPanel, OwnerUID: PanelUID},
		{Name: SecretDBWorker},
		{Name: SecretDBMigrate},
		{Name: SecretDBSites},
		{Name: SecretBackupKey},
		{Name: SecretSessionKey, OwnerUID: PanelUID},
		{Name: SecretEntryKey, OwnerUID: PanelUID},
		{Name: SecretOIDCPanel, OwnerUID: PanelUID, Given: c.Identity.External},
	}
	if c.Identity.AdminClientID != "" {
		uses = append(uses, SecretUse{Name: SecretOIDCWorker, Given: c.Identity.External})
	}
	if !c.Identity.External {
		uses = append(uses,
			SecretUse{Name: SecretDBKeycloak, OwnerUID: KeycloakUID},
			SecretUse{Name: SecretKCBootstrap, OwnerUID: KeycloakUID})
	}
	if c.Mail.User != "" {
		uses = append(uses, SecretUse{Name: SecretMail, OwnerUID: GatewayUID, Given: true})
	}
	return uses
}

// CheckFiles looks at the files the configuration names: secrets, and the certificate of mode "files". It is for the
// machine's root, who can read them all, and not for a role, which cannot.
func (c Config) CheckFiles() Faults {
	var faults Faults
	for _, use := range c.SecretUses() {
		secret := c.Secret(use.Name)
		if _, err := secret.Reveal(); err != nil {
			faults = append(faults, Fault{Key: "secrets/" + use.Name, Where: secret.Path(), Problem: err.Error(),
				Expected: "a file of mode 0600 with the secret on one line", Example: secretAdvice(use)})
		}
	}
	if c.TLS.Mode != TLSFiles {
		return faults
	}
	for _, f := range []struct{ key, path string }{{"tls.files.cert", c.TLS.Cert}, {"tls.files.key", c.TLS.Key}} {
		faults = append(faults, unreadable(f.key, f.path)...)
	}
	return faults
}

func secretAdvice(use SecretUse) string {
	if use.Name == SecretMail {
		return "write there the password of mail.user, and run chatiere setup for its owner and mode"
	}
	if use.Given {
		return "copy it from the client's page in Keycloak"
	}
	return "chatiere setup makes it"
}
