package worker_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"chatiere/tenants/worker"
)

func TestEachCallerHasItsOwnRequests(t *testing.T) {
	var asks []*http.Request
	for _, path := range []string{"/nudge", "/lists", "/sign-out", "/audit/verify", "/", "/health", "/doctor", "/parts", "/jobs"} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			asks = append(asks, httptest.NewRequest(method, "http://worker"+path, nil))
		}
	}
	const panel = 64010
	w := &worker.Worker{Control: worker.Control{PanelUID: panel}}
	got := w.Calls(asks)
	if want := []string{"POST /nudge", "POST /lists", "POST /sign-out", "GET /doctor", "GET /parts"}; !slices.Equal(got[panel], want) {
		t.Errorf("the panel may ask %q, want %q", got[panel], want)
	}
	if want := []string{"POST /audit/verify", "GET /health", "GET /doctor", "GET /jobs"}; !slices.Equal(got[0], want) {
		t.Errorf("root may ask %q, want %q", got[0], want)
	}
	if len(got) != 2 {
		t.Errorf("others may ask: %v", got)
	}
}

func TestASocketAcceptsConnectionsOfItsUserAlone(t *testing.T) {
	for uid, want := range map[int]bool{os.Getuid(): true, os.Getuid() + 1: false} {
		path := filepath.Join(t.TempDir(), "w.sock")
		l, err := worker.ListenFor(path, uint32(uid), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
		go func() { _ = srv.Serve(l) }() // ends with Close
		client := http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
		res, err := client.Get("http://worker/")
		if err == nil {
			_ = res.Body.Close()
		}
		if got := err == nil; got != want {
			t.Errorf("a socket of user %d: answered %v, %v", uid, got, err)
		}
		_ = srv.Close()
	}
}
