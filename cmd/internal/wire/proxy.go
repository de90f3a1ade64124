package wire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"chatiere/cmd/internal/config"
	"chatiere/panel"
	"chatiere/reverseproxy"
	"chatiere/reverseproxy/accesslog"
	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/hostname"
	"chatiere/reverseproxy/pages"
	"chatiere/tenants/keycloak"
)

// Proxy runs the edge until ctx ends.
func Proxy(ctx context.Context, c config.Config, log *slog.Logger) error {
	p := c.Paths()
	inherited, err := edge.Inherited(os.Getenv, os.Getpid())
	if err != nil {
		return fmt.Errorf("taking over listeners: %w", err)
	}
	cert, key := p.Wildcard(), p.WildcardKey()
	// A socket of former versions, on which several roles connected.
	if err := os.Remove(filepath.Join(p.ProxyDir(), "edge.sock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("old socket not removed", "error", err)
	}
	return reverseproxy.Run(ctx, reverseproxy.Options{
		Routes: p.Routes(), Cert: cert, Key: key, Spool: p.ProxySpool(), HTTPS: c.Proxy.HTTPS, HTTP: c.Proxy.HTTP,
		Inherited: inherited, Contact: pages.Contact{Name: c.Coop.Name, Email: c.Coop.Contact},
		Access: accesslog.New(os.Stderr, "role", "proxy", "instance", c.Instance, "log", "access"),
		Edge: edge.Options{
			MaxConns: c.Proxy.Connections, MaxClientConns: c.Proxy.ClientConnections, MaxClientRequests: c.Proxy.ClientConnections,
		},
		Sockets: proxySockets(c),
	}, log)
}

// proxySockets are the proxy's sockets for our other roles, each allowing only the hosts that its peer needs. The groups
// come from the directories (setgid), since the proxy has no capability to set them.
func proxySockets(c config.Config) []edge.Socket {
	p := c.Paths()
	return []edge.Socket{
		{Path: p.GatewayEdgeSocket(), Mode: 0o660, Peer: "gateway", SendsOrigin: true},
		{Path: p.KeycloakEdgeSocket(), Mode: 0o660, Peer: "keycloak", Allow: func(r *http.Request) bool {
			return hostOf(r) == c.Panel.Host && r.Method == http.MethodPost && r.URL.Path == panel.PathBackChannelLogout
		}},
		{Path: p.WorkerEdgeSocket(), Mode: 0o660, Peer: "worker", Allow: func(r *http.Request) bool {
			return !slices.Contains(c.PlatformHosts(), hostOf(r))
		}},
		// Only panel and proxy may enter its directory.
		{Path: p.PanelEdgeSocket(), Mode: 0o666, Peer: "panel", Allow: func(r *http.Request) bool {
			return !c.Identity.External && hostOf(r) == c.IdentityHost()
		}},
	}
}

// hostOf returns the host by which a request is routed; empty for an invalid one.
func hostOf(r *http.Request) string {
	host, _ := hostname.FromAuthority(r.Host)
	return host
}

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
