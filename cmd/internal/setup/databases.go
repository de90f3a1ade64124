package setup

import (
	"fmt"
	"strings"

	"chatiere/cmd/internal/config"
	"chatiere/tenants/sitedb"
)

// Containers that are not ours, by the names of their secrets' directories.
const (
	mariaDB      = "mariadb"
	sitesMariaDB = "mariadb-sites"
	keycloakName = "keycloak"
)

// databases writes the statements that each MariaDB runs at every start, before it lets anybody in, so that they must
// be repeatable, and one line each.
func (r *run) databases() error {
	panel, err := r.panelStatements()
	if err != nil {
		return err
	}
	sites, err := r.sitesStatements()
	if err != nil {
		return err
	}
	for container, f := range map[string]struct {
		root       string
		statements []string
	}{
		mariaDB:      {config.SecretDBRoot, panel},
		sitesMariaDB: {config.SecretDBSitesRoot, sites},
	} {
		if err := r.copySecrets(container, config.MariaDBUID, map[string]string{"db_root": f.root}); err != nil {
			return err
		}
		p := entry{path: r.paths.SecretsOf(container) + "/init.sql", mode: 0o600, uid: config.MariaDBUID, gid: config.MariaDBUID}
		changed, err := p.write([]byte(strings.Join(f.statements, "\n") + "\n"))
		if err != nil {
			return err
		}
		r.addChange(p.path, changed)
	}
	return nil
}

// panelStatements makes the panel's database. The users of panel and worker start with no right at all: the
// migrations, which run as the third user, give each of them its rights table by table.
func (r *run) panelStatements() ([]string, error) {
	d := r.config.Database
	out := []string{r.database(d.Name)}
	for _, u := range []struct{ name, secret string }{
		{d.PanelUser, config.SecretDBPanel}, {d.WorkerUser, config.SecretDBWorker}, {d.MigrateUser, config.SecretDBMigrate},
	} {
		statements, err := r.user(u.name, "localhost", u.secret)
		if err != nil {
			return nil, err
		}
		out = append(out, statements...)
	}
	out = append(out, fmt.Sprintf("GRANT ALL PRIVILEGES ON `%s`.* TO %s WITH GRANT OPTION;", d.Name, account(d.MigrateUser, "localhost")))
	if r.config.Identity.External {
		return out, nil
	}
	// Keycloak speaks TCP, on a network of which it is the only other member.
	statements, err := r.user(keycloakName, "%", config.SecretDBKeycloak)
	if err != nil {
		return nil, err
	}
	out = append(append(out, r.database(keycloakName)), statements...)
	return append(out, fmt.Sprintf("GRANT ALL PRIVILEGES ON `%s`.* TO %s;", keycloakName, account(keycloakName, "%"))), nil
}

// sitesStatements makes the worker's account for the sites' databases, with the rights its adapter asks for.
func (r *run) sitesStatements() ([]string, error) {
	password, err := r.reveal(config.SecretDBSites)
	if err != nil {
		return nil, err
	}
	statements, err := sitedb.AdminStatements(r.config.SitesDatabase.AdminUser, password)
	if err != nil {
		return nil, err
	}
	for i := range statements {
		statements[i] += ";"
	}
	return statements, nil
}

func (r *run) database(name string) string {
	return fmt.Sprintf("CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT %s;",
		name, text("chatiere.instance="+r.config.Instance))
}

// user makes it, or gives it the password that is in its secret now.
func (r *run) user(name, host, secret string) ([]string, error) {
	password, err := r.reveal(secret)
	if err != nil {
		return nil, err
	}
	return []string{
		fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED BY %s;", account(name, host), text(password)),
		fmt.Sprintf("ALTER USER %s IDENTIFIED BY %s;", account(name, host), text(password)),
	}, nil
}

func account(name, host string) string { return text(name) + "@" + text(host) }

// text writes an SQL string.
func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''", "\n", `\n`).Replace(s) + "'"
}
