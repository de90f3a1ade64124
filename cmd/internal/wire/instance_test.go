package wire_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"chatiere/cmd/internal/config"
)

// configure returns an instance below a short path, since sockets have no room for a test's own directory.
func configure(t *testing.T, more string) config.Config {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c, err := config.Parse("chatiere.yaml", []byte("instance: lilas\ndomain: lilas.example\nroot: "+dir+"\n"+more), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{c.Paths().WorkerDir(), c.Paths().PanelDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// listen serves at a socket until the test ends.
func listen(t *testing.T, socket string, start func(*httptest.Server), handler http.Handler) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	start(s)
	t.Cleanup(s.Close)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
