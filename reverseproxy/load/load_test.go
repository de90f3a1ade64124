package load_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"chatiere/reverseproxy/load"
)

func server(t *testing.T, handler http.HandlerFunc) load.Target {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return load.Target{Addr: s.Listener.Addr().String(), Host: "example.com", Path: "/a", Size: 40000, Roots: roots, Streams: 4}
}

func TestAsManyRequestsAsToldAreAnswered(t *testing.T) {
	var asked, major atomic.Int32
	target := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		major.Store(int32(r.ProtoMajor))
		w.Header().Set("Content-Length", "40000")
		w.Write(make([]byte, 40000))
	})
	for _, h2 := range []bool{false, true} {
		asked.Store(0)
		target.HTTP2 = h2
		fleet, err := load.Open(context.Background(), target, 3)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // connections go on from one call to the next; 40 MB pass the window of HTTP/2
			if _, err := fleet.Fetch(500); err != nil {
				t.Fatal(err)
			}
		}
		if n := asked.Load(); n != 3+1000 || (major.Load() == 2) != h2 || fleet.Cipher() == "" {
			t.Errorf("h2 %v: asked %d times, protocol %d, cipher %q", h2, n, major.Load(), fleet.Cipher())
		}
		if err := fleet.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOtherAnswersThanThePageAreErrors(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"other status": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"short":        func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(strings.Repeat("x", 39999))) },
		"no body":      func(w http.ResponseWriter, r *http.Request) {},
	}
	for name, answer := range answers {
		target := server(t, answer)
		for _, h2 := range []bool{false, true} {
			target.HTTP2 = h2
			if fleet, err := load.Open(context.Background(), target, 1); !errors.Is(err, load.ErrAnswer) {
				t.Errorf("%s, h2 %v: %v, %v", name, h2, fleet, err)
			}
		}
	}
}
