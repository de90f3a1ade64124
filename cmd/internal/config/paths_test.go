package config_test

import (
	"testing"

	"chatiere/cmd/internal/config"
)

func TestPathsAreThoseOfTheDataRoot(t *testing.T) {
	p := config.PathsBelow("/r/oot")
	for got, want := range map[string]string{
		p.Routes():               "/r/oot/routes/routes.json",
		p.WildcardKey():          "/r/oot/certs/wildcard-key.pem",
		p.CAKey():                "/r/oot/ca/ca-key.pem",
		p.Egress("s1"):           "/r/oot/egress/s1.json",
		p.SiteData("s1"):         "/r/oot/sites/s1/data",
		p.SiteSecrets("s1"):      "/r/oot/sites/s1/secrets",
		p.AppSocket("s1", ""):    "/r/oot/run/app/s1/http/http.sock",
		p.AppSocket("s1", "r2"):  "/r/oot/run/app/s1/r2/http/http.sock",
		p.EgressSocket("s1", ""): "/r/oot/run/app/s1/gate/egress.sock",
		p.SMTPSocket("s1", "r2"): "/r/oot/run/app/s1/r2/gate/smtp.sock",
		p.MariaDBSocket():        "/r/oot/run/mariadb/mysqld.sock",
		p.SitesMariaDBSocket():   "/r/oot/run/mariadb-sites/mysqld.sock",
		p.KeycloakSocket():       "/r/oot/run/keycloak/keycloak.sock",
		p.GatewayEdgeSocket():    "/r/oot/run/proxy/gateway/edge.sock",
		p.KeycloakEdgeSocket():   "/r/oot/run/proxy/keycloak/edge.sock",
		p.WorkerEdgeSocket():     "/r/oot/run/proxy/worker/edge.sock",
		p.PanelSocket():          "/r/oot/run/panel/panel.sock",
		p.PanelEdgeSocket():      "/r/oot/run/panel/edge.sock",
		p.CLISocket():            "/r/oot/run/cli/panel.sock",
		p.WorkerSocket():         "/r/oot/run/worker/worker.sock",
		p.WorkerPanelSocket():    "/r/oot/run/worker/panel/worker.sock",
		p.GatewaySpool():         "/r/oot/spool/gateway",
		p.DatabaseDeaths():       "/r/oot/database-deaths.json",
		p.Secret("db_root"):      "/r/oot/secrets/db_root",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
