package reverseproxy_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy"
	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/egress/spool"
	"chatiere/reverseproxy/origin"
)

const (
	neighbourHost = "neighbour." + domain
	neighbourID   = "s9neighbou"
)

// doors starts a proxy with a door for sites and one that leads to the neighbour's front page alone.
func doors(t *testing.T, change func(*reverseproxy.Options)) *proxy {
	t.Helper()
	app := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "from "+r.Host+" for "+r.Header.Get("X-Forwarded-For"))
	})
	neighbour := serving(app)
	neighbour.Host, neighbour.Site = neighbourHost, neighbourID
	p := start(t, func(o *reverseproxy.Options) {
		dir := filepath.Dir(o.Sockets[0].Path)
		o.Sockets = append(o.Sockets,
			edge.Socket{Path: filepath.Join(dir, "sites.sock"), Mode: 0o660, Peer: "gateway", SendsOrigin: true},
			edge.Socket{Path: filepath.Join(dir, "worker.sock"), Mode: 0o660, Peer: "worker", Allow: func(r *http.Request) bool {
				return r.URL.Path == "/" && strings.HasPrefix(r.Host, neighbourHost)
			}})
		if change != nil {
			change(o)
		}
	}, serving(app), neighbour)
	return p
}

// through opens a door; from is whose connection it is, if the door wants to know.
func (p *proxy) through(t *testing.T, socket string, from *origin.Origin) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(p.dir, "run", socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if from != nil {
		if err := from.Write(conn); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// greet shakes hands as a client that would rather speak HTTP/2.
func (p *proxy) greet(conn net.Conn, name string) (*tls.Conn, error) {
	secure := tls.Client(conn, &tls.Config{RootCAs: p.roots, ServerName: name, NextProtos: []string{"h2", "http/1.1"}})
	return secure, secure.Handshake()
}

// askBy sends one request by hand, so that the Host can be any, and returns status and body.
func askBy(t *testing.T, conn net.Conn, host, path string) (int, string) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func own(port int) *origin.Origin { return &origin.Origin{Site: siteID, Host: siteHost, Port: port} }

func TestTheSitesDoorLeadsToTheOwnHostAlone(t *testing.T) {
	p := doors(t, nil)
	for _, elsewhere := range []string{neighbourHost, "panel." + domain, "localhost", "127.0.0.1:8443", siteHost + ".evil.example"} {
		conn, err := p.greet(p.through(t, "sites.sock", own(443)), siteHost)
		if err != nil {
			t.Fatal(err)
		}
		if proto := conn.ConnectionState().NegotiatedProtocol; proto != "http/1.1" {
			t.Errorf("the door speaks %q", proto)
		}
		// The connection is honest first: each request is looked at.
		if status, body := askBy(t, conn, siteHost+":8443", "/"); status != http.StatusOK || !strings.HasSuffix(body, "for 192.0.0.8") {
			t.Errorf("the site itself: %d %q", status, body)
		}
		if status, body := askBy(t, conn, elsewhere, "/"); status != http.StatusMisdirectedRequest || strings.Contains(body, "from ") {
			t.Errorf("Host %s: %d %.80q", elsewhere, status, body)
		}
	}
	eventually(t, "the access log names the site", func() bool { return strings.Contains(p.access.String(), `"network":"site:`+siteID+`"`) })
	p.end()
	if got := p.noted(t)["localhost"]; got.Site != siteID || got.Port != 443 || got.Decision != spool.Refused || got.Reason != "own name led elsewhere" {
		t.Errorf("noted of localhost: %+v", got)
	}
	if len(p.noted(t)) != 5 {
		t.Errorf("noted %v", p.noted(t))
	}
}

// noted returns what was written of sites' attempts, by name.
func (p *proxy) noted(t *testing.T) map[string]spool.Entry {
	t.Helper()
	files, err := spool.Format.Files(filepath.Join(p.dir, "spool"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]spool.Entry{}
	for _, f := range files {
		entries, err := spool.Format.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out[e.Name] = e
		}
	}
	return out
}

func TestTheSitesDoorShakesHandsForTheOwnNameAlone(t *testing.T) {
	p := doors(t, nil)
	for _, name := range []string{neighbourHost, "panel." + domain} {
		if _, err := p.greet(p.through(t, "sites.sock", own(443)), name); err == nil {
			t.Errorf("%s: shook hands", name)
		}
	}
	bare := tls.Client(p.through(t, "sites.sock", own(443)), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // without a server name nothing can be verified
	if err := bare.Handshake(); err == nil {
		t.Error("without a name: shook hands")
	}
	conn := p.through(t, "sites.sock", nil)
	if _, err := p.greet(conn, siteHost); err == nil {
		t.Error("without an origin: shook hands")
	}
}

func TestPlainHTTPOnTheSitesDoorIsHeldToTheOwnHostToo(t *testing.T) {
	p := doors(t, nil)
	if status, _ := askBy(t, p.through(t, "sites.sock", own(80)), siteHost, "/x"); status != http.StatusMovedPermanently {
		t.Errorf("the site itself: %d", status)
	}
	for _, host := range []string{"localhost", neighbourHost} {
		if status, _ := askBy(t, p.through(t, "sites.sock", own(80)), host, "/"); status != http.StatusMisdirectedRequest {
			t.Errorf("Host %s: %d", host, status)
		}
	}
}

func TestEachSiteIsAClientOfItsOwn(t *testing.T) {
	p := doors(t, func(o *reverseproxy.Options) { o.Edge.MaxClientConns = 2 })
	neighbour := &origin.Origin{Site: neighbourID, Host: neighbourHost, Port: 443}
	var held []*tls.Conn
	for range 2 {
		conn, err := p.greet(p.through(t, "sites.sock", own(443)), siteHost)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	if _, err := p.greet(p.through(t, "sites.sock", own(443)), siteHost); err == nil {
		t.Error("a third connection of one site was taken")
	}
	conn, err := p.greet(p.through(t, "sites.sock", neighbour), neighbourHost)
	if err != nil {
		t.Fatalf("the neighbour has no room: %v", err)
	}
	if status, _ := askBy(t, conn, neighbourHost, "/"); status != http.StatusOK {
		t.Errorf("the neighbour: %d", status)
	}
	if status, _ := askBy(t, held[0], siteHost, "/"); status != http.StatusOK {
		t.Errorf("the site itself: %d", status)
	}
}

func TestANeighboursDoorLeadsWhereItMust(t *testing.T) {
	p := doors(t, nil)
	for _, c := range []struct {
		host, path string
		want       int
	}{{neighbourHost, "/", 200}, {neighbourHost, "/wp-json/", 421}, {siteHost, "/", 421}, {neighbourHost, "/", 200}} {
		conn, err := p.greet(p.through(t, "worker.sock", nil), c.host)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := askBy(t, conn, c.host, c.path); status != c.want {
			t.Errorf("%s%s: %d, want %d", c.host, c.path, status, c.want)
		}
	}
}
