package egress_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
)

// detour dials one address whatever port was asked for: tests cannot have port 443.
type detour string

func (d detour) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, string(d))
}

// withServer opens a house whose site may reach "api.example" on the ports,
// where one server answers.
func withServer(t *testing.T, address string, ports ...int) *house {
	t.Helper()
	h := newHouse(t, func(o *egress.Options) {
		o.Resolver, o.Dialer = newBook().say("api.example", "127.0.0.1"), detour(address)
		var err error
		if o.Permit, err = egress.ParsePermits([]string{"127.0.0.1/32"}); err != nil {
			t.Fatal(err)
		}
	})
	h.open(t, egress.AllowedName{Name: "api.example", Ports: ports})
	return h
}

func secureServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "reached")
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// overTLS asks through a tunnel with a greeting for name.
func overTLS(t *testing.T, conn net.Conn, name string) (string, error) {
	t.Helper()
	secure := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // the name is what is tried
	if _, err := io.WriteString(secure, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	text, err := io.ReadAll(secure)
	return string(text), err
}

func TestATLSClientReachesTheServerItAskedFor(t *testing.T) {
	h := withServer(t, secureServer(t), 443, 9444)
	for _, target := range []string{"api.example:443", "api.example:9444"} {
		conn, _, _ := h.connect(t, target)
		if text, err := overTLS(t, conn, "api.example"); err != nil || !strings.HasSuffix(text, "reached") {
			t.Errorf("%s: %q, %v", target, text, err)
		}
	}
	h.entry(t, "api.example", func(e spool.Entry) bool { return e.Port == 443 && e.Decision == spool.Allowed && e.Count == 1 })
}

func TestAGreetingForAnotherServerEndsTheTunnelBeforeItLeaves(t *testing.T) {
	at := listenOnce(t)
	h := withServer(t, at.address, 443, 9444)
	for _, c := range []struct{ target, name, reason string }{
		{"api.example:443", "evil.example", "TLS greeting for another server name"},
		{"api.example:9444", "evil.example", "TLS greeting for another server name"},
		{"api.example:443", "", "TLS greeting without a server name"},
	} {
		conn, _, status := h.connect(t, c.target)
		if status != http.StatusOK {
			t.Fatalf("%s: %d", c.target, status)
		}
		began := time.Now()
		if _, err := overTLS(t, conn, c.name); err == nil || errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
			t.Errorf("%s as %q: %v after %s", c.target, c.name, err, time.Since(began))
		}
		if got := at.next(t); len(got) > 0 {
			t.Errorf("%s as %q: %d bytes arrived", c.target, c.name, len(got))
		}
		h.entry(t, "api.example", func(e spool.Entry) bool { return e.Decision == spool.Refused && e.Reason == c.reason })
	}
}

func TestOnAPortOfTLSNothingElseIsSpoken(t *testing.T) {
	at := listenOnce(t)
	h := withServer(t, at.address, 443)
	conn, _, _ := h.connect(t, "api.example:443")
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := at.next(t); len(got) > 0 {
		t.Errorf("%q arrived", got)
	}
	h.entry(t, "api.example", func(e spool.Entry) bool { return e.Reason == "no TLS greeting" })
}

func TestWhereTheServerSpeaksFirstNothingIsHeldBack(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "220 hello\r\n")
		_, _ = io.Copy(conn, conn)
	}()
	h := withServer(t, listener.Addr().String(), 587)
	conn, reader, _ := h.connect(t, "api.example:587")
	if line, err := reader.ReadString('\n'); err != nil || line != "220 hello\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := io.WriteString(conn, "EHLO asso\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); err != nil || line != "EHLO asso\r\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// ear is a server that says what each of its connections brought.
type ear struct {
	address string
	heard   chan []byte
}

func listenOnce(t *testing.T) ear {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	e := ear{listener.Addr().String(), make(chan []byte, 16)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var all bytes.Buffer
			_, _ = io.Copy(&all, conn)
			_ = conn.Close()
			e.heard <- all.Bytes()
		}
	}()
	return e
}

func (e ear) next(t *testing.T) []byte {
	t.Helper()
	select {
	case got := <-e.heard:
		return got
	case <-time.After(10 * time.Second):
		t.Fatal("the connection did not end")
		return nil
	}
}
