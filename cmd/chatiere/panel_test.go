package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"chatiere/panel/api"
)

// reply is one answer of the stand-in; a status of 0 is 200.
type reply struct {
	status int
	body   any
}

// standIn is a panel that has an answer ready for each request, and remembers what it was asked.
type standIn struct {
	t       *testing.T
	socket  string
	answers map[string][]reply // by method and URI; the last one stays
	seen    []string           // method and URI
	bodies  []string
	keys    []string // of idempotency
}

// serve starts a stand-in at a socket; its answers to each request come in their order.
func serve(t *testing.T, socket string, answers map[string][]reply) *standIn {
	t.Helper()
	p := &standIn{t: t, socket: socket, answers: answers}
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: p}}
	s.Start()
	t.Cleanup(s.Close)
	return p
}

// newStandIn starts one wherever there is room.
func newStandIn(t *testing.T, answers map[string][]reply) *standIn {
	t.Helper()
	return serve(t, filepath.Join(shortDir(t), "panel.sock"), answers)
}

// shortDir is a path with room for sockets below it, which the test's own directory has not.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cli")
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

func (p *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	asked := r.Method + " " + r.RequestURI
	p.seen, p.bodies, p.keys = append(p.seen, asked), append(p.bodies, string(body)), append(p.keys, r.Header.Get(api.HeaderIdempotency))
	ready := p.answers[asked]
	if len(ready) == 0 {
		p.t.Errorf("asked for %s", asked)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if len(ready) > 1 {
		p.answers[asked] = ready[1:]
	}
	w.Header().Set("Content-Type", "application/json")
	if ready[0].status != 0 {
		w.WriteHeader(ready[0].status)
	}
	if ready[0].body == nil {
		return
	}
	if err := json.NewEncoder(w).Encode(ready[0].body); err != nil {
		p.t.Error(err)
	}
}

// says runs a command line against the stand-in.
func (p *standIn) says(args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	return said(p.t, []string{"CHATIERE_SOCKET=" + p.socket}, args...)
}

// one is a single answer.
func one(body any) []reply { return []reply{{0, body}} }

// sameJSON reports whether text is v in JSON.
func sameJSON(t *testing.T, text string, v any) bool {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return json.Unmarshal([]byte(text), &got) == nil && reflect.DeepEqual(got, want)
}
