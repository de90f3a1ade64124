package wire

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/relay"
)

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

// errMailCA means that secrets/gateway/mail_ca.pem contains no certificate.
var errMailCA = errors.New("no certificate in it")

// mailOptions converts the configuration to the relay's options.
func mailOptions(c config.Config) (relay.Options, error) {
	o := relay.Options{
		Dir: c.Paths().MailQueue(), Domain: c.Mail.Domain, Senders: c.Mail.SendersOfAll(), Foreign: relay.Foreign(c.Mail.Foreign), Hourly: c.Mail.Hourly,
	}
	host, port := c.MailServer()
	if host == "" {
		return o, nil
	}
	roots, err := mailRoots(c.Paths().MailCA())
	if err != nil {
		return o, err
	}
	o.Smarthost = &relay.Smarthost{
		Host: host, Port: port, Encryption: relay.Encryption(c.Mail.TLS), User: c.Mail.User, Password: c.Secret(config.SecretMail).Reveal, Roots: roots,
	}
	return o, nil
}

// mailRoots adds the co-op's own authority, if there is one, to the system's.
func mailRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no pool means the system's
	}
	if err != nil {
		return nil, fmt.Errorf("reading the smarthost's authority: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the smarthost's authority %s: %w", path, errMailCA)
	}
	return roots, nil
}
