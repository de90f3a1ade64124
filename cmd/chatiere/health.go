package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/wire"
)

const healthTimeout = 3 * time.Second

func (p *program) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "health panel|worker|proxy|gateway",
		Short:     "Ask a role beside this process whether it is well (for the containers' health checks)",
		ValidArgs: []string{"panel", "worker", "proxy", "gateway"},
		Args:      usage(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			return p.health(ctx, args[0])
		},
	}
}

func (p *program) health(ctx context.Context, role string) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	switch role {
	case "panel":
		return apiclient.Ask(ctx, c.Paths().PanelSocket(), "/health", nil)
	case "worker":
		return apiclient.Ask(ctx, c.Paths().WorkerSocket(), "/health", nil)
	case "gateway":
		return wire.GatewayHealth(ctx, c)
	}
	return shakeHands(ctx, c)
}

// shakeHands wants a TLS handshake for the panel's name on the proxy's socket.
func shakeHands(ctx context.Context, c config.Config) error {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return err
	}
	if pem, err := os.ReadFile(c.Paths().CA()); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.Paths().WorkerEdgeSocket())
	if err != nil {
		return fmt.Errorf("asking the proxy: %w", err)
	}
	session := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: c.Panel.Host, MinVersion: tls.VersionTLS12})
	if err := session.HandshakeContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("asking the proxy: %w", err), conn.Close())
	}
	_ = session.Close() // the handshake was the answer; the proxy may have hung up since
	return nil
}
