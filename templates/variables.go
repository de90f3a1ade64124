package templates

import (
	"regexp"
	"slices"
)

// Places inside a native container. They are the same for every site, which is
// why an image may also write them into its configuration.
const (
	dataDir     = "/data"
	secretsDir  = "/run/secrets/site"
	httpDir     = "/run/chatiere/http"
	gateDir     = "/run/chatiere/gate"
	databaseDir = "/run/mysqld"
)

// siteVariables is the closed set of what a container may be told. None of them
// is a secret: secrets are files, of which only the path is told.
var siteVariables = []string{
	"ADMIN_PASSWORD_FILE", "DATA_DIR", "DB_HOST", "DB_NAME", "DB_PASSWORD_FILE", "DB_PORT", "DB_SOCKET", "DB_USER",
	"EGRESS_SOCKET", "HTTP_SOCKET", "LANG", "SECRET_KEY_FILE",
	"SITE_HOST", "SITE_ID", "SITE_MODE", "SITE_UID", "SITE_URL", "SMTP_SOCKET", "TZ",
}

// variablesOf is the part of the set that means something with a database of this engine.
func variablesOf(engine string) []string {
	without := []string{"DB_HOST", "DB_PORT"}
	if engine == PostgreSQL {
		without = []string{"DB_SOCKET"}
	}
	return slices.DeleteFunc(slices.Clone(siteVariables), func(name string) bool { return slices.Contains(without, name) })
}

// hookVariables are told to hooks only.
var hookVariables = []string{"ADMIN_EMAIL", "ADMIN_USER", "SITE_LOCALE", "SITE_TIMEZONE", "SITE_TITLE"}

// placeholder is how an environment value refers to a variable of the closed set.
var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// SiteVariables lists the variables that a container may be told.
func SiteVariables() []string { return slices.Clone(siteVariables) }

// HookVariables lists the variables that a hook may be told besides.
func HookVariables() []string { return slices.Clone(hookVariables) }
