package wire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/wire"
	"chatiere/reverseproxy/certs"
)

// edge is what answers at the proxy's socket: whom it was asked for, with a certificate of the instance's own authority
// for a domain.
func edge(t *testing.T, c config.Config, domain string) {
	t.Helper()
	p := c.Paths()
	if _, err := certs.EnsureLocal(certs.Dirs{CA: p.CADir(), Leaf: p.CertsDir()}, []string{domain}, time.Now); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(read(t, p.Wildcard()), read(t, p.WildcardKey()))
	if err != nil {
		t.Fatal(err)
	}
	listen(t, p.PanelEdgeSocket(), func(s *httptest.Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "edge for "+r.Host) }))
}

func get(t *testing.T, client *http.Client, address string) (string, error) {
	t.Helper()
	res, err := client.Get(address)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return string(body), nil
}

func TestThePlatformsOwnNamesAreReachedThroughTheProxysSocket(t *testing.T) {
	c := configure(t, "public_port: 8443\n")
	edge(t, c, "lilas.example")
	client := wire.EdgeClient(c, c.Paths().PanelEdgeSocket())
	for _, address := range []string{c.PanelURL(), c.IdentityURL()} {
		host := strings.TrimPrefix(address, "https://")
		if got, err := get(t, client, address+"/health"); err != nil || got != "edge for "+host {
			t.Errorf("%s: got %q, %v", address, got, err)
		}
	}
}

func TestACertificateForOtherNamesIsRefusedAtTheSocketToo(t *testing.T) {
	c := configure(t, "")
	edge(t, c, "autre.example")
	if got, err := get(t, wire.EdgeClient(c, c.Paths().PanelEdgeSocket()), c.PanelURL()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTheLocalAuthorityIsTrustedInItsOwnModeAlone(t *testing.T) {
	c := configure(t, "")
	edge(t, c, "lilas.example")
	c.TLS.Mode = config.TLSFiles
	if got, err := get(t, wire.EdgeClient(c, c.Paths().PanelEdgeSocket()), c.PanelURL()); err == nil {
		t.Errorf("got %q with a certificate that nobody vouches for", got)
	}
}

func TestEveryOtherNameIsReachedOverTheNetwork(t *testing.T) {
	c := configure(t, "")
	edge(t, c, "lilas.example")
	network := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "network") }))
	t.Cleanup(network.Close)
	u, err := url.Parse(network.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := wire.EdgeClient(c, c.Paths().PanelEdgeSocket())
	for _, host := range []string{u.Host, net.JoinHostPort("localhost", u.Port())} {
		if got, err := get(t, client, "http://"+host); err != nil || got != "network" {
			t.Errorf("%s: got %q, %v", host, got, err)
		}
	}
}

func TestOnlyThePlatformsOwnNamesAreOursToReach(t *testing.T) {
	over := func(t *testing.T, c config.Config, address string) string {
		t.Helper()
		gone, leave := context.WithCancel(t.Context())
		leave() // nothing is to be reached: the failure tells which way would have been taken
		transport := wire.EdgeClient(c, c.Paths().PanelEdgeSocket()).Transport.(*http.Transport)
		_, err := transport.DialContext(gone, "tcp", address)
		var failed *net.OpError
		if !errors.As(err, &failed) {
			t.Fatalf("%s: %v", address, err)
		}
		return failed.Net
	}
	external := "identity: {external: true, issuer: 'https://id.lilas.example/realms/r', client_id: lilas}\n"
	for _, c := range []struct{ more, address, want string }{
		{"", "panel.lilas.example:443", "unix"}, {"", "id.lilas.example:8443", "unix"},
		{"", "amap.lilas.example:443", "tcp"}, {"", "lilas.example:443", "tcp"}, {"", "panel.lilas.example.autre.example:443", "tcp"},
		{external, "panel.lilas.example:443", "unix"}, {external, "id.lilas.example:443", "tcp"},
	} {
		if got := over(t, configure(t, c.more), c.address); got != c.want {
			t.Errorf("%s is reached over %s, want %s", c.address, got, c.want)
		}
	}
}
