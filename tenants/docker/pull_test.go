package docker

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// registry answers as a daemon that knows one image once it was pulled.
func registry(t *testing.T, answer string) *Engine {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	pulled := ""
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		case strings.HasSuffix(r.URL.Path, "/images/create"):
			pulled = r.URL.Query().Get("fromImage") + "@" + r.URL.Query().Get("tag")
			_, _ = io.WriteString(w, answer)
		case strings.HasSuffix(r.URL.Path, "/images/"+pulled+"/json"):
			_, _ = io.WriteString(w, `{"Id":"sha256:c0de"}`)
		default:
			http.Error(w, `{"message":"no such image"}`, http.StatusNotFound)
		}
	}))
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	e, err := New(Options{Host: "unix://" + socket, Instance: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestAnImageIsPulledByItsDigest(t *testing.T) {
	reference := "registry.example/app@sha256:" + strings.Repeat("0f", 32)
	var progress strings.Builder
	id, err := registry(t, `{"status":"Pulling from app"}`+"\n"+`{"status":"Download complete"}`).Pull(t.Context(), reference, &progress)
	if err != nil || id != "sha256:c0de" || !strings.Contains(progress.String(), "Download complete") {
		t.Errorf("pulled %q, %v; told %q", id, err, progress.String())
	}
	// The answer has status 200 by the time the registry refuses.
	_, err = registry(t, `{"status":"Pulling from app"}`+"\n"+`{"error":"manifest unknown"}`).Pull(t.Context(), reference, nil)
	if !errors.Is(err, ErrPull) || !strings.Contains(err.Error(), "manifest unknown") {
		t.Errorf("refused: %v", err)
	}
}
