package worker_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"chatiere/tenants/worker"
)

func TestANudgeDoesNotWaitForAWorkerThatHangs(t *testing.T) {
	dir, err := os.MkdirTemp("", "worker") // t.TempDir's name is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "worker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}}
	s.Start()
	defer s.Close()
	began := time.Now()
	worker.NewClient(path).Nudge()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a person's request waited %s for it", took)
	}
}
