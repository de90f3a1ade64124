package egress_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
)

// door is the proxy's end of the way from sites to themselves: it tells of each connection whose it is and what it says.
type door struct{ origins chan origin.Origin }

// openDoor answers over TLS, or without on the port of plain HTTP.
func openDoor(t *testing.T, h *house) *door {
	t.Helper()
	listener, err := net.Listen("unix", h.options.EdgeSocket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // for its certificate
	t.Cleanup(func() { server.Close(); _ = listener.Close() })
	d := &door{make(chan origin.Origin, 16)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go d.serve(conn, server.TLS.Certificates)
		}
	}()
	return d
}

func (d *door) serve(conn net.Conn, certificates []tls.Certificate) {
	defer func() { _ = conn.Close() }()
	from, err := origin.Read(conn)
	if err != nil {
		return
	}
	d.origins <- from
	if from.Port != origin.PlainPort {
		conn = tls.Server(conn, &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12})
	}
	if _, err := conn.Read(make([]byte, 1024)); err == nil {
		_, _ = io.WriteString(conn, "the site itself")
	}
}

func openOwn(t *testing.T) (*house, *door) {
	t.Helper()
	h := newHouse(t, func(o *egress.Options) { o.Resolver = newBook() }) // which knows no name
	d := openDoor(t, h)
	h.open(t)
	return h, d
}

func TestTheOwnNameLeadsToTheProxyWhichLearnsWhoseItIs(t *testing.T) {
	h, d := openOwn(t)
	for port, number := range map[string]int{"443": 443, "8443": 8443} {
		conn, _, status := h.connect(t, hostA+":"+port)
		if status != http.StatusOK {
			t.Fatalf("port %s: %d", port, status)
		}
		if text, err := overTLS(t, conn, hostA); err != nil || text != "the site itself" {
			t.Errorf("port %s: %q, %v", port, text, err)
		}
		if got, want := <-d.origins, (origin.Origin{Site: siteA, Host: hostA, Port: number}); got != want {
			t.Errorf("port %s: the proxy learns %+v", port, got)
		}
	}
	conn, reader, status := h.connect(t, hostA+":80")
	if status != http.StatusOK {
		t.Fatalf("port 80: %d", status)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(reader); string(text) != "the site itself" {
		t.Errorf("port 80: %q", text)
	}
	if _, _, status := h.connect(t, "other.coop.test:8443"); status != http.StatusForbidden {
		t.Errorf("another site's name: %d", status)
	}
}

func TestTheOwnNameLeadsNowhereElseAndTheAttemptIsNoted(t *testing.T) {
	h, _ := openOwn(t)
	for _, c := range []struct{ target, name, noted, reason string }{
		{":8443", "panel.coop.test", "panel.coop.test", "own name led elsewhere"},
		{":443", "Neighbour.coop.test", "neighbour.coop.test", "own name led elsewhere"},
		{":80", "id.coop.test", "id.coop.test", "own name led elsewhere"},
		{":443", "", hostA, "own name led elsewhere"},
	} {
		conn, _, status := h.connect(t, hostA+c.target)
		if status != http.StatusOK {
			t.Fatalf("%s: %d", c.target, status)
		}
		if text, err := overTLS(t, conn, c.name); err == nil {
			t.Errorf("%s as %q: answered %q", c.target, c.name, text)
		}
		h.entry(t, c.noted, func(e spool.Entry) bool { return e.Decision == spool.Refused && e.Reason == c.reason })
	}
	conn, reader, _ := h.connect(t, hostA+":443")
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: panel.coop.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(reader); strings.Contains(string(text), "itself") {
		t.Errorf("without TLS: %q", text)
	}
	h.entry(t, hostA, func(e spool.Entry) bool { return e.Decision == spool.Refused && e.Reason == "no TLS greeting" })
}
