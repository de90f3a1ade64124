package probe_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/probe"
)

func TestPrivateAsksAsTheProxyWould(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "http.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "amap.lilas.coop:8443" || r.Header.Get("X-Forwarded-Proto") != "https" || r.URL.Path != "/ready" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	})}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	p := probe.Private{Port: 8443, Dial: func(ctx context.Context, _ tenants.Site) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	site := tenants.Site{ID: "s1", Host: "amap.lilas.coop"}
	for _, c := range []struct {
		want tenants.Page
		good bool
	}{
		{tenants.Page{Path: "/ready", Status: http.StatusFound}, true}, // the redirect itself
		{tenants.Page{Path: "/ready", Status: http.StatusFound, Contains: ">found<"}, true},
		{tenants.Page{Path: "/ready", Status: http.StatusFound, Contains: "Bienvenue"}, false},
		{tenants.Page{Path: "/ready", Status: http.StatusOK}, false},
		{tenants.Page{Path: "/other", Status: http.StatusFound}, false},
	} {
		if err := p.Check(t.Context(), site, c.want); (err == nil) != c.good || err != nil && !errors.Is(err, probe.ErrAnswer) {
			t.Errorf("%+v: %v", c.want, err)
		}
	}
	if status, body, err := p.Read(t.Context(), tenants.Site{ID: "s1", Host: "amap.lilas.coop"}, "/ready"); err != nil || status != http.StatusFound || len(body) == 0 {
		t.Errorf("reading: got %d %q, %v", status, body, err)
	}
	srv.Close()
	if err := p.Check(t.Context(), site, tenants.Page{Path: "/ready", Status: http.StatusFound}); err == nil || errors.Is(err, probe.ErrAnswer) {
		t.Error("a dead socket gave no error")
	}
}

func TestPublicVerifiesTheCertificateForTheSitesName(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "edge.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.ServerName != "example.com" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	srv.Listener.Close()
	srv.Listener = ln
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	p := probe.Public{Edge: socket, Port: 8443, Roots: func() *x509.CertPool { return roots }}
	// httptest's certificate is made out to example.com.
	home := tenants.Page{Path: "/", Status: http.StatusOK}
	if err := p.Check(t.Context(), tenants.Site{Host: "example.com"}, home); err != nil {
		t.Error(err)
	}
	if err := p.Check(t.Context(), tenants.Site{Host: "other.example.org"}, home); err == nil {
		t.Error("a certificate for another name was accepted")
	}
}
