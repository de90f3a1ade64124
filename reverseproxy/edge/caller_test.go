package edge_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/origin"
)

// callers serves a socket of callers, each of whom is answered its name and whether it may ask.
func callers(t *testing.T, spec edge.Socket) (socket string, config *tls.Config) {
	t.Helper()
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	spec.Path, spec.Mode = filepath.Join(dir, "s"), 0o600
	l, err := edge.ListenUnix(spec)
	if err != nil {
		t.Fatal(err)
	}
	get, pool := certificate(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := edge.CallerOf(r)
		scheme := "plain"
		if r.TLS != nil {
			scheme = "secure"
		}
		_, _ = io.WriteString(w, scheme+" "+r.RemoteAddr+" "+c.String()+" "+c.Network()+" "+map[bool]string{true: "may", false: "may not"}[c.Allows(r)])
	})
	s, err := edge.New(edge.Options{Secure: handler, Plain: handler, GetCertificate: get, Log: quiet(), HandshakeTimeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, []net.Listener{edge.SocketListener{Listener: l, Socket: spec}}, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return spec.Path, &tls.Config{RootCAs: pool, ServerName: name, NextProtos: []string{"h2", "http/1.1"}}
}

// askAt sends first as it is, then a request, over TLS if config is set, and returns the answer; "" when there is none.
func askAt(t *testing.T, socket, first, host string, config *tls.Config) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, first); err != nil {
		t.Fatal(err)
	}
	if config != nil {
		session := tls.Client(conn, config)
		if session.Handshake() != nil {
			return ""
		}
		if got := session.ConnectionState().NegotiatedProtocol; got == "h2" {
			t.Errorf("a caller was given %s", got)
		}
		conn = session
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

func TestACallerOnASocketIsKnownByItsName(t *testing.T) {
	spec := edge.Socket{Peer: "worker", Allow: func(r *http.Request) bool { return r.Host == name }}
	socket, config := callers(t, spec)
	for host, may := range map[string]string{name: "may", "other.lilas.test": "may not"} {
		if got, want := askAt(t, socket, "", host, config), "secure peer:worker peer:worker unix "+may; got != want {
			t.Errorf("asking for %s: %q, want %q", host, got, want)
		}
	}
	socket, config = callers(t, edge.Socket{Peer: "keycloak"})
	if got := askAt(t, socket, "", "other.lilas.test", config); !strings.HasSuffix(got, " may") {
		t.Errorf("where everything is allowed: %q", got)
	}
}

func TestASiteOnASocketReachesItsOwnHostAlone(t *testing.T) {
	socket, config := callers(t, edge.Socket{Peer: "gateway", SendsOrigin: true})
	line := func(port int) string {
		var b strings.Builder
		if err := (origin.Origin{Site: "s7k2m9qx4p", Host: name, Port: port}).Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const site = " site:s7k2m9qx4p site:s7k2m9qx4p unix "
	if got := askAt(t, socket, line(443), name, config); got != "secure"+site+"may" {
		t.Errorf("its own host: %q", got)
	}
	if got := askAt(t, socket, line(443), "other.lilas.test", config); got != "secure"+site+"may not" {
		t.Errorf("another host: %q", got)
	}
	if got := askAt(t, socket, line(origin.PlainPort), name, nil); got != "plain"+site+"may" {
		t.Errorf("without TLS: %q", got)
	}
	other := config.Clone()
	other.ServerName = "other.lilas.test"
	if got := askAt(t, socket, line(443), name, other); got != "" {
		t.Errorf("a handshake for another name: %q", got)
	}
	for what, first := range map[string]string{"no line": "\x16\x03\x01", "nonsense": "SITE x y z\n", "half a line": "SITE s7k2m9qx4p"} {
		if got := askAt(t, socket, first, name, nil); got != "" {
			t.Errorf("%s: answered %q", what, got)
		}
	}
}
