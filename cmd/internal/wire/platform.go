package wire

import (
	"net/http"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy"
	"chatiere/tenants/keycloak"
)

// What panel and Keycloak take at once, and of one request: forms and JSON, nothing is uploaded there. Each open page
// of the panel holds a stream; Keycloak works on 24 requests at a time (http-pool-max-threads).
const (
	panelPlaces    = 1024
	keycloakPlaces = 64
	formLimit      = 256 << 10
)

// platformRoutes are the routes that exist whatever the records say.
func platformRoutes(c config.Config) []reverseproxy.Route {
	p := c.Paths()
	routes := []reverseproxy.Route{{
		Host: c.Panel.Host, Site: "panel", State: reverseproxy.StateServing, Upstream: "unix:" + p.PanelSocket(), Lang: c.Language,
		Cookies: []string{"__Host-chatiere*"},
		Places:  panelPlaces, MaxBody: formLimit,
	}}
	if !c.Identity.External {
		routes = append(routes, reverseproxy.Route{
			Host: c.IdentityHost(), Site: "keycloak", State: reverseproxy.StateServing, Upstream: "unix:" + p.KeycloakSocket(),
			Lang: c.Language, Places: keycloakPlaces, MaxBody: formLimit,
			// Metrics, health and the administration, which has a realm of its own, are for the server's own people, over
			// the server's own sockets.
			Refuse:  []string{`(?i)^/(?:metrics|health|admin|realms/master)(?:/|$)`},
			Cookies: keycloak.Cookies,
		})
	}
	return routes
}

// administered reports whether we have an account on the realm. For our own realm the configuration requires one.
func administered(c config.Config) bool { return c.Identity.AdminClientID != "" }

// keycloakClient returns a client with the worker's service account. Our own Keycloak is reached by its own socket, so that
// associations can be made while the proxy is down.
func keycloakClient(c config.Config) (*keycloak.Client, error) {
	client := &http.Client{Timeout: clientTimeout}
	if !c.Identity.External {
		client.Transport = keycloak.Socket(c.Paths().KeycloakSocket())
	}
	secret, err := c.Secret(config.SecretOIDCWorker).Reveal()
	if err != nil {
		return nil, err
	}
	return keycloak.New(keycloak.Options{
		Issuer: c.Identity.Issuer, ClientID: c.Identity.AdminClientID, Secret: keycloak.Secret(secret), Instance: c.Instance,
		HTTPClient: client,
	})
}

// Keycloak speaks to the realm as the worker does, for tests that look at what is there.
func Keycloak(c config.Config) (*keycloak.Client, error) { return keycloakClient(c) }
