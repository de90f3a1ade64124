package wire

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy"
	"chatiere/reverseproxy/access"
	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/egress"
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
	return reverseproxy.Run(ctx, reverseproxy.Options{
		Routes: p.Routes(), Cert: cert, Key: key, Spool: p.ProxySpool(), HTTPS: c.Proxy.HTTPS, HTTP: c.Proxy.HTTP,
		Inherited: inherited, Contact: pages.Contact{Name: c.Coop.Name, Email: c.Coop.Contact},
		Access: access.New(os.Stderr, "role", "proxy", "instance", c.Instance, "log", "access"),
		Edge: edge.Options{
			MaxConns: c.Proxy.Connections, MaxClientConns: c.Proxy.ClientConnections, MaxClientRequests: c.Proxy.ClientConnections,
		},
		Sockets: []edge.Socket{
			// The groups come from the directories (setgid): without capabilities we could not give them away.
			{Path: p.EdgeSocket(), Mode: 0o660},
			{Path: p.PanelEdgeSocket(), Mode: 0o666}, // only panel and proxy may enter its directory
		},
	}, log)
}

// Gateway runs the sites' only way out until ctx ends.
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
		ListDir: p.EgressDir(), RunDir: p.AppDir(), EdgeSocket: p.EdgeSocket(), SpoolDir: p.GatewaySpool(),
		PublicPort: c.PublicPort, Permit: permit, Limits: limits(c.Egress), Mail: mail,
	}, log)
}

// limits gives the co-op's figures to the gateway. Five seconds' worth of new connections may come at once.
func limits(e config.Egress) egress.Limits {
	return egress.Limits{
		MaxTunnels: e.Connections, AllTunnels: e.AllConnections, Rate: float64(e.ConnectionsPerSecond), Burst: 5 * e.ConnectionsPerSecond,
		Bytes: int64(e.MiBPerSecond) << 20, BytesBurst: int64(e.BurstMiB) << 20,
	}
}

// GatewayHealth looks from beside the gateway whether it is at work.
func GatewayHealth(ctx context.Context, c config.Config) error {
	p := c.Paths()
	return egress.Health(ctx, p.GatewaySpool(), p.EgressDir(), p.AppDir())
}
