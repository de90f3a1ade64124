package apiclient_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
	"chatiere/reverseproxy/certs"
)

// place is a short path: sockets have no room for a test's own directory.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "remote")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// listen serves at a socket until the test ends.
func listen(t *testing.T, socket string, handler http.Handler) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	s.Start()
	t.Cleanup(s.Close)
}

// named is a panel that only tells which one it is.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(api.Account{Name: name, ID: r.Header.Get("Authorization"), Kind: r.URL.Path})
	})
}

// asked returns which panel a client speaks to, and what it shows there.
func asked(t *testing.T, c *apiclient.Client) api.Account {
	t.Helper()
	var a api.Account
	if err := c.Get(t.Context(), api.PathAccount, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// public serves a panel over HTTPS below .localhost, with a certificate of an authority whose file it returns too.
func public(t *testing.T, handler http.Handler) (address, caFile string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.EnsureLocal(certs.Dirs{CA: filepath.Join(dir, "ca"), Leaf: dir}, []string{"chatiere.localhost"}, time.Now); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "wildcard.pem"), filepath.Join(dir, "wildcard-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "https://panel.chatiere.localhost:" + u.Port(), filepath.Join(dir, "ca.pem")
}

// left is a socket that a dead panel left over.
func left(t *testing.T, socket string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
