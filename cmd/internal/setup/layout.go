package setup

import (
	"io/fs"

	"chatiere/cmd/internal/config"
)

const inherit = fs.ModeSetgid

// layout lists the directories of a data root, parents first. What a role shares with another lies in a directory of
// its own, whose group is the other's; the roles have no capability that would pass over these modes.
func layout(p config.Paths) []entry {
	const root, proxy, panel, gateway, mariadb, keycloak = 0, config.ProxyGID, config.PanelUID, config.GatewayUID,
		config.MariaDBUID, config.KeycloakUID
	return []entry{
		{p.Root(), 0o755, root, root},
		{p.Secrets(), 0o700, root, root},
		{p.SecretsOf(mariaDB), 0o700, mariadb, mariadb},
		{p.SecretsOf(sitesMariaDB), 0o700, mariadb, mariadb},
		{p.SecretsOf(keycloakName), 0o700, keycloak, keycloak},
		{p.GatewaySecrets(), 0o700, gateway, gateway},
		{p.RoutesDir(), 0o755, root, root},
		{p.CertsDir(), 0o750, root, proxy},
		{p.CADir(), 0o700, root, root},
		{p.EgressDir(), 0o750, root, gateway},
		{p.AuditDir(), 0o700, root, root},
		{p.Spool(), 0o755, root, root},
		{p.ProxySpool(), 0o770, root, proxy},
		{p.GatewaySpool(), 0o750, gateway, gateway},
		{p.SitesDir(), 0o711, root, root},
		{p.MariaDBData(), 0o750, mariadb, mariadb},
		{p.SitesMariaDBData(), 0o750, mariadb, mariadb},
		{p.RunDir(), 0o755, root, root},
		{p.AppDir(), 0o755, root, root},
		{p.MariaDBDir(), 0o755, mariadb, mariadb},
		{p.SitesMariaDBDir(), 0o755, mariadb, mariadb},
		{p.KeycloakDir(), inherit | 0o750, keycloak, proxy},
		{p.ProxyDir(), 0o755, root, root},
		{p.GatewayEdgeDir(), inherit | 0o750, root, gateway},
		{p.KeycloakEdgeDir(), inherit | 0o750, root, keycloak},
		{p.WorkerEdgeDir(), 0o700, root, root},
		{p.PanelDir(), inherit | 0o770, panel, proxy},
		{p.CLIDir(), 0o700, panel, panel},
		{p.WorkerDir(), 0o700, root, root},
		{p.WorkerPanelDir(), inherit | 0o750, root, panel},
	}
}

func (r *run) directories() error {
	for _, d := range layout(r.paths) {
		changed, err := d.directory()
		if err != nil {
			return err
		}
		r.addChange(d.path, changed)
	}
	return nil
}
