package upstream_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/upstream"
)

func TestConnectionsAreUsedAgainLastOneFirst(t *testing.T) {
	a := listen(t, func(int) string { return ok })
	tr := upstream.New(upstream.Options{})
	for range 10 {
		if w, err := get(t, tr, a.socket); err != nil || w.Body.String() != "ok" {
			t.Fatal(w, err)
		}
	}
	if n := a.accepted.Load(); n != 1 {
		t.Errorf("%d connections for 10 requests in a row", n)
	}
}

func TestUnusedConnectionsAreClosedInTime(t *testing.T) {
	a := listen(t, func(int) string { return ok })
	tr := upstream.New(upstream.Options{IdleTimeout: 40 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tr.CloseIdleConns(ctx)
	}()
	get(t, tr, a.socket)
	for deadline := time.Now().Add(5 * time.Second); a.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("idle connection stays open")
		}
	}
	if _, err := get(t, tr, a.socket); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	for deadline := time.Now().Add(5 * time.Second); a.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("connection outlives the transport")
		}
	}
}

func TestConnectionIsNotUsedAfterAnOddEnd(t *testing.T) {
	for name, answer := range map[string]string{
		"asked to close":     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"old protocol":       "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"bytes too many":     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
		"body without right": "HTTP/1.1 204 No Content\r\n\r\nbody",
	} {
		a := listen(t, func(int) string { return answer })
		tr := upstream.New(upstream.Options{})
		for range 3 {
			w, err := get(t, tr, a.socket)
			if err != nil || strings.Contains(w.Body.String(), "poison") {
				t.Errorf("%s: %q, %v", name, w.Body, err)
			}
		}
		if n := a.accepted.Load(); n != 3 {
			t.Errorf("%s: %d connections for 3 requests", name, n)
		}
	}
}

func TestUnreachableUpstreamIsNamedAsSuch(t *testing.T) {
	tr := upstream.New(upstream.Options{})
	if _, err := get(t, tr, "/nonexistent/http.sock"); !errors.Is(err, upstream.ErrUnreachable) {
		t.Errorf("missing: %v", err)
	}
	a := listen(t, func(int) string { return "" })
	if _, err := get(t, tr, a.socket); !errors.Is(err, upstream.ErrBadAnswer) {
		t.Errorf("closes at once: %v", err)
	}
	if n := a.accepted.Load(); n != 1 {
		t.Errorf("asked %d times on fresh connections", n)
	}
}

func TestFullBacklogIsWaitedOut(t *testing.T) {
	dir, err := os.MkdirTemp("", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	accept := tinyBacklog(t, socket)
	tr := upstream.New(upstream.Options{})
	results := make(chan error, 20)
	for range cap(results) {
		go func() {
			_, err := get(t, tr, socket)
			results <- err
		}()
	}
	time.Sleep(20 * time.Millisecond) // let them pile up before the application accepts
	go accept()
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestWordsUnaskedAreNoAnswer(t *testing.T) {
	said := make(chan struct{})
	dir, err := os.MkdirTemp("", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for first := true; ; first = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				return
			}
			io.WriteString(c, ok)
			if first {
				<-said
				io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
				said <- struct{}{}
			}
		}
	}()
	tr := upstream.New(upstream.Options{})
	if _, err := get(t, tr, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	said <- struct{}{}
	<-said
	w := httptest.NewRecorder()
	if err := tr.Forward(w, httptest.NewRequest("POST", "/", http.NoBody), upstream.Target{Socket: l.Addr().String()}); err != nil || w.Code != 200 {
		t.Errorf("status %d, %v", w.Code, err)
	}
}

// A request that looked its pool up just before that was swept away must not leave a connection there.
func TestSweptPoolTakesNobodyIn(t *testing.T) {
	a := listen(t, func(int) string { return ok })
	tr := upstream.New(upstream.Options{})
	if tr.Entered(a.socket) {
		t.Error("a request entered a pool that nobody can find")
	}
	if _, err := get(t, tr, a.socket); err != nil {
		t.Fatal(err)
	}
	tr.Sweep()
	for deadline := time.Now().Add(5 * time.Second); a.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a connection was left open")
		}
	}
}
