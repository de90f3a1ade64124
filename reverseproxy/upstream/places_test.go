package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/upstream"
)

// gate is an application whose answers wait until they are let go, one by one.
type gate struct {
	socket string
	inside chan string // paths of requests that came
	open   chan struct{}
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{inside: make(chan string, 100), open: make(chan struct{})}
	g.socket = serve(t, func(_ http.ResponseWriter, r *http.Request) {
		g.inside <- r.URL.Path
		select {
		case <-g.open:
		case <-r.Context().Done():
		}
	})
	return g
}

// ask sends a request for a client and returns where its outcome comes.
func ask(ctx context.Context, tr *upstream.Transport, to upstream.Target, client, path string, body io.Reader) <-chan error {
	done := make(chan error, 1)
	to.Client = client
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, body)
	if body != nil {
		r.ContentLength = -1
	}
	go func() { done <- tr.Forward(httptest.NewRecorder(), r, to) }()
	return done
}

func outcome(t *testing.T, doing string, done <-chan error, want error) {
	t.Helper()
	select {
	case err := <-done:
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", doing, err, want)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("%s: no outcome, want %v", doing, want)
	}
}

func arrived(t *testing.T, g *gate) string {
	t.Helper()
	select {
	case path := <-g.inside:
		return path
	case <-time.After(10 * time.Second):
		t.Fatal("no request arrives")
		return ""
	}
}

func TestARequestBeyondThePlacesWaitsForOne(t *testing.T) {
	g := newGate(t)
	tr := upstream.New(upstream.Options{})
	to := upstream.Target{Socket: g.socket, Places: 2}
	first, second := ask(t.Context(), tr, to, "", "/1", nil), ask(t.Context(), tr, to, "", "/2", nil)
	arrived(t, g)
	arrived(t, g)
	third := ask(t.Context(), tr, to, "", "/3", nil)
	select {
	case path := <-g.inside:
		t.Fatalf("%s had no place and came", path)
	case <-time.After(100 * time.Millisecond):
	}
	g.open <- struct{}{}
	if path := arrived(t, g); path != "/3" {
		t.Errorf("%s came", path)
	}
	close(g.open)
	for _, done := range []<-chan error{first, second, third} {
		outcome(t, "a request", done, nil)
	}
}

func TestWhoWaitsTooLongOrLeavesGivesItsTurnUp(t *testing.T) {
	g := newGate(t)
	tr := upstream.New(upstream.Options{QueueTimeout: 50 * time.Millisecond})
	to := upstream.Target{Socket: g.socket, Places: 1}
	first := ask(t.Context(), tr, to, "", "/1", nil)
	arrived(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	leaves := ask(ctx, tr, to, "", "/left", nil)
	cancel()
	outcome(t, "one whose client has left", leaves, upstream.ErrClient)
	outcome(t, "one that waits too long", ask(t.Context(), tr, to, "", "/late", nil), upstream.ErrBusy)
	close(g.open)
	outcome(t, "the first", first, nil)
	outcome(t, "one after them", ask(t.Context(), tr, to, "", "/next", nil), nil)
}

func TestOneClientHoldsItsShareAndWhoHoldsLeastIsNext(t *testing.T) {
	g := newGate(t)
	tr := upstream.New(upstream.Options{})
	to := upstream.Target{Socket: g.socket, Places: 6}
	var all []<-chan error
	for n := range 5 {
		all = append(all, ask(t.Context(), tr, to, "greedy", fmt.Sprint("/greedy", n), nil))
	}
	for range 4 { // its share
		arrived(t, g)
	}
	for _, client := range []string{"a", "a"} {
		all = append(all, ask(t.Context(), tr, to, client, "/a", nil))
		if path := arrived(t, g); path != "/a" {
			t.Errorf("%s came, and greedy has its share", path)
		}
	}
	// All places are taken. "a" holds two and "b" none; "a" asked first.
	all = append(all, ask(t.Context(), tr, to, "a", "/a", nil))
	all = append(all, ask(t.Context(), tr, to, "b", "/b", nil))
	for deadline := time.Now().Add(10 * time.Second); tr.Waiting(g.socket) < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait", tr.Waiting(g.socket))
		}
	}
	g.open <- struct{}{}
	if path := arrived(t, g); path != "/b" {
		t.Errorf("%s came next", path)
	}
	close(g.open)
	for _, done := range all {
		outcome(t, "a request", done, nil)
	}
}

// stalled is a body of which some comes at once and the rest when it is let go.
type stalled struct {
	io.Reader
	rest chan struct{}
}

func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 {
		return n, nil
	}
	<-s.rest
	return 0, err
}

func TestUploadsThatStandStillMakeRoomForOtherClients(t *testing.T) {
	inside := make(chan struct{}, 10)
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		echo(w, r)
	})
	f := forward(t, upstream.Options{BufferSize: 1000, QueueTimeout: 10 * time.Second}, upstream.Target{Socket: app, Places: 4})
	head := "POST / HTTP/1.1\r\nHost: a.test\r\nX-Client: greedy\r\nContent-Length: 50000\r\n\r\n"
	for n := range 4 {
		f.dial(t, head+strings.Repeat("x", 2000+n*2000)) // the first makes the least progress
		<-inside
	}
	began := time.Now()
	res, got := postAs(t, f.URL, "patient", "hello")
	if res != http.StatusOK || got != "hello" || time.Since(began) > 8*time.Second {
		t.Errorf("after %s: %d %q", time.Since(began), res, got)
	}
	f.wants(t, "the one that was in the way", upstream.ErrBusy)
	f.wants(t, "the patient one", nil)
	select {
	case err := <-f.errs:
		t.Errorf("another one ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}

func postAs(t *testing.T, url, client, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Client", client)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestMemoryForBodiesIsSharedAmongClients(t *testing.T) {
	tr := upstream.New(upstream.Options{BufferSize: 64 << 10, BufferMemory: 40 << 10, QueueTimeout: 100 * time.Millisecond})
	to := upstream.Target{Socket: serve(t, echo)}
	body := &stalled{Reader: strings.NewReader(strings.Repeat("x", 4<<10-1)), rest: make(chan struct{})}
	first := ask(t.Context(), tr, to, "a", "/", body) // holds 4 of 40 KiB, and may hold 9 at most
	outcome(t, "more than its client's share", ask(t.Context(), tr, to, "a", "/", strings.NewReader(strings.Repeat("x", 16<<10))), upstream.ErrBusy)
	outcome(t, "another client's small one", ask(t.Context(), tr, to, "b", "/", strings.NewReader("x")), nil)
	ctx, cancel := context.WithCancel(t.Context())
	large := ask(ctx, tr, to, "c", "/", strings.NewReader(strings.Repeat("x", 16<<10)))
	cancel()
	outcome(t, "one whose client left while it waited", large, upstream.ErrClient)
	close(body.rest)
	outcome(t, "the first", first, nil)
}

func TestMemoryIsGivenBack(t *testing.T) {
	tr := upstream.New(upstream.Options{BufferSize: 8 << 10, BufferMemory: 32 << 10, QueueTimeout: 20 * time.Second})
	to := upstream.Target{Socket: serve(t, echo)}
	var all []<-chan error
	for range 20 { // many more than there is memory for at once
		all = append(all, ask(t.Context(), tr, to, "a", "/", strings.NewReader(strings.Repeat("x", 4<<10-1))))
	}
	for _, done := range all {
		outcome(t, "one of many bodies", done, nil)
	}
}
