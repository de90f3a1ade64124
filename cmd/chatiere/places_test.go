package main

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/panel/api"
	"chatiere/reverseproxy/certs"
)

// instance writes a configuration and returns its file and its paths.
func instance(t *testing.T) (string, config.Paths) {
	t.Helper()
	root := filepath.Join(shortDir(t), "root")
	return configFile(t, "instance: lilas\ndomain: lilas.example\nroot: "+root+"\n"), config.PathsBelow(root)
}

func TestThePanelIsFoundByConfiguration(t *testing.T) {
	file, paths := instance(t)
	elsewhere := configFile(t, "instance: lilas\ndomain: lilas.example\nroot: /nowhere\n")
	p := serve(t, paths.CLISocket(), map[string][]reply{"GET /api/v1/templates": one(api.List[api.Template]{})})
	for name, c := range map[string]struct{ env, args []string }{
		"flag":                 {nil, []string{"--config", file}},
		"variable":             {[]string{"CHATIERE_CONFIG=" + file}, nil},
		"flag before variable": {[]string{"CHATIERE_CONFIG=/nowhere"}, []string{"--config", file}},
		"variables for keys":   {[]string{"CHATIERE_ROOT=" + paths.Root()}, []string{"--config", elsewhere}},
		"socket before flag":   {[]string{"CHATIERE_SOCKET=/nowhere", "CHATIERE_SOCKET=" + p.socket}, []string{"--config", "/nowhere"}},
	} {
		p.seen = nil
		if code, _, stderr := said(t, c.env, append(c.args, "template", "list")...); code != api.ExitOK || len(p.seen) != 1 {
			t.Errorf("%s: ended with %d, asked %v: %s", name, code, p.seen, stderr)
		}
	}
}

func TestAnAddressIsHeldToItsForm(t *testing.T) {
	code, _, stderr := said(t, []string{"CHATIERE_URL=http://panel.lilas.example", "CHATIERE_TOKEN=cht_secret"}, "template", "list")
	if code != api.ExitFailed || !strings.Contains(stderr, "https://") || strings.Contains(stderr, "cht_secret") {
		t.Errorf("ended with %d: %s", code, stderr)
	}
}

func TestHealthIsWhatTheRoleAnswers(t *testing.T) {
	for _, role := range []string{"panel", "worker"} {
		file, paths := instance(t)
		socket := map[string]string{"panel": paths.PanelSocket(), "worker": paths.WorkerSocket()}[role]
		if code, _, _ := said(t, nil, "health", role, "--config", file); code != api.ExitFailed {
			t.Errorf("a %s that does not run: %d", role, code)
		}
		serve(t, socket, map[string][]reply{"GET /health": {{0, nil}, {503, nil}}})
		if code, _, stderr := said(t, nil, "health", role, "--config", file); code != api.ExitOK {
			t.Errorf("a %s that is well: %d, %s", role, code, stderr)
		}
		if code, _, stderr := said(t, nil, "health", role, "--config", file); code != api.ExitFailed || !strings.Contains(stderr, "503") {
			t.Errorf("a %s that is not well: %d, %s", role, code, stderr)
		}
	}
}

func TestTheProxyIsWellWhenItShowsACertificateForThePanel(t *testing.T) {
	for _, c := range []struct {
		domain, panel string
		want          int
	}{
		{"lilas.example", "panel.lilas.example", api.ExitOK},
		{"autre.example", "panel.lilas.example", api.ExitFailed},
		{"autre.example", "panel.autre.example", api.ExitOK},
	} {
		file, paths := instance(t)
		if _, err := certs.EnsureLocal(certs.Dirs{CA: paths.CADir(), Leaf: paths.CertsDir()}, []string{c.domain}, time.Now); err != nil {
			t.Fatal(err)
		}
		shake(t, paths)
		code, _, stderr := said(t, []string{"CHATIERE_PANEL_HOST=" + c.panel}, "health", "proxy", "--config", file)
		if code != c.want {
			t.Errorf("%s with a certificate for %s: ended with %d: %s", c.panel, c.domain, code, stderr)
		}
	}
}

// shake shows the instance's certificate to whoever comes to the proxy's socket.
func shake(t *testing.T, paths config.Paths) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(paths.Wildcard(), paths.WildcardKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(paths.WorkerEdgeSocket()), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", paths.WorkerEdgeSocket())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// What a visitor makes of it is the visitor's to say.
			_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
}
