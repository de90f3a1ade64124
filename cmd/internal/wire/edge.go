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
	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/hostname"
	"chatiere/reverseproxy/pages"
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

// Gateway runs the egress gateway until ctx ends.
func Gateway(ctx context.Context, c config.Config, log *slog.Logger) error {
	permit, err := egress.ParsePermits(c.Egress.Permit)
	if err != nil {
		return fmt.Errorf("reading egress.permit: %w", err)
	}
	mail, err := mailOptions(c)
	if err != nil {
		return err
	}
	p := c.Paths()
	return egress.Run(ctx, egress.Options{
		ListDir: p.EgressDir(), RunDir: p.AppDir(), EdgeSocket: p.GatewayEdgeSocket(), SpoolDir: p.GatewaySpool(),
		PublicPort: c.PublicPort, Permit: permit, Limits: limits(c.Egress), Mail: mail,
	}, log)
}

// limits converts the configured limits to the gateway's. New connections of five seconds may come at once.
func limits(e config.Egress) egress.Limits {
	return egress.Limits{
		MaxTunnels: e.Connections, AllTunnels: e.AllConnections, Rate: float64(e.ConnectionsPerSecond), Burst: 5 * e.ConnectionsPerSecond,
		Bytes: int64(e.MiBPerSecond) << 20, BytesBurst: int64(e.BurstMiB) << 20,
	}
}

// GatewayHealth checks the gateway from another process.
func GatewayHealth(ctx context.Context, c config.Config) error {
	p := c.Paths()
	return egress.Health(ctx, p.GatewaySpool(), p.EgressDir(), p.AppDir())
}
