// Package wire builds each role's object graph from the configuration. It is the only package that knows every room;
// anything longer than an adapter belongs into a room of its own. Start reading at a role: proxy.go, panel.go, worker.go,
// gateway.go; what several roles open is in this file.
package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"chatiere/cmd/internal/catalogue"
	"chatiere/cmd/internal/config"
	"chatiere/templates"
	"chatiere/tenants"
	"chatiere/tenants/database"
	"chatiere/tenants/identity/assertion"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/mysql"
)

// clientTimeout bounds one request to Keycloak.
const clientTimeout = 15 * time.Second

// roots returns the system's authorities and our local one, if there is one. It reads them each time, since the local
// authority may be made after the start.
func roots(c config.Config) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if c.TLS.Mode != config.TLSLocalCA {
		return pool
	}
	if pem, err := os.ReadFile(c.Paths().CA()); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	return pool
}

// edgeClient returns an HTTP client that reaches the platform's own names through the proxy's unix socket, with TLS
// verified as any visitor's, and everything else over the network.
func edgeClient(c config.Config, socket string) *http.Client {
	ours := c.PlatformHosts()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err == nil && slices.Contains(ours, host) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	transport := &http.Transport{
		DialContext: dial, MaxIdleConns: 8, IdleConnTimeout: 30 * time.Second,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				host = address
			}
			secure := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: roots(c), MinVersion: tls.VersionTLS12})
			if err := secure.HandshakeContext(ctx); err != nil {
				_ = conn.Close() // the handshake's error is the one that tells
				return nil, err
			}
			return secure, nil
		},
	}
	return &http.Client{Transport: transport, Timeout: clientTimeout}
}

// openStore opens the panel's database as one of its users.
func openStore(c config.Config, user string, password config.Secret, log *slog.Logger) (*mysql.Store, error) {
	secret, err := password.Reveal()
	if err != nil {
		return nil, err
	}
	return mysql.Open(mysql.Config{
		Config:   database.Config{Socket: c.Database.Socket, Database: c.Database.Name, User: user, Password: secret, Log: log},
		FirstUID: c.Sites.FirstUID, LastUID: c.Sites.LastUID,
	})
}

// loadCatalogue reads the templates of the program; engine is nil where no image is ever asked for.
func loadCatalogue(c config.Config, engine tenants.Engine) (*catalogue.Catalogue, error) {
	loaded, err := templates.Load(templates.Embedded())
	if err != nil {
		return nil, fmt.Errorf("loading the templates: %w", err)
	}
	allow, err := allowedNames(c.Egress.Allow)
	if err != nil {
		return nil, err
	}
	return catalogue.New(loaded, catalogue.Settings{
		Root: c.Root, Language: c.Language, URL: c.SiteURL, Allow: allow,
		Limits: templates.Limits{Memory: templates.Size(c.Sites.MemoryMiB) << 20, Pids: c.Sites.Pids, CPUs: c.Sites.CPUs},
	}, engine), nil
}

func hosts(c config.Config) tenants.Hosts {
	return tenants.Hosts{Domain: c.Domain, Platform: c.PlatformHosts()}
}

// administered reports whether we have an account on the realm. For our own realm the configuration requires one.
func administered(c config.Config) bool { return c.Identity.AdminClientID != "" }

// Keycloak returns a client with the worker's service account. Our own Keycloak is reached by its own socket, so that
// associations can be made while the proxy is down.
func Keycloak(c config.Config) (*keycloak.Client, error) {
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

// entryIssuer signs assertions for entries. Only the panel signs; the worker derives the public key for sites from it.
func entryIssuer(c config.Config) (*assertion.Issuer, error) {
	secret, err := c.Secret(config.SecretEntryKey).Reveal()
	if err != nil {
		return nil, err
	}
	return assertion.New(c.PanelURL(), secret, c.Now)
}

func entryKey(c config.Config) ([]byte, error) {
	issuer, err := entryIssuer(c)
	if err != nil {
		return nil, err
	}
	return issuer.Public()
}

// usualPort is the port of a name without one.
const usualPort = 443

// allowedNames parses the configuration's "name" and "name:port".
func allowedNames(entries []string) ([]templates.Name, error) {
	var out []templates.Name
	for _, e := range entries {
		name, port := e, usualPort
		if host, text, err := net.SplitHostPort(e); err == nil {
			if port, err = strconv.Atoi(text); err != nil {
				return nil, fmt.Errorf("reading the allowed name %q: %w", e, err)
			}
			name = host
		}
		out = append(out, templates.Name{Name: name, Ports: []int{port}})
	}
	return out, nil
}
