package edge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/reverseproxy/certs"
	"chatiere/reverseproxy/edge"
)

const name = "demo.lilas.test"

// certificate makes a certificate for name and the pool that trusts it.
func certificate(t *testing.T) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), *x509.CertPool) {
	t.Helper()
	dirs := certs.Dirs{CA: t.TempDir(), Leaf: t.TempDir()}
	if _, err := certs.EnsureLocal(dirs, []string{"lilas.test"}, time.Now); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dirs.Leaf, certs.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	source := certs.Open(filepath.Join(dirs.Leaf, certs.LeafFile), filepath.Join(dirs.Leaf, certs.KeyFile), time.Hour, time.Now, quiet())
	return source.GetCertificate, pool
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// counted counts the system calls that write to its connections.
type counted struct {
	net.Listener
	writes atomic.Int64
}

func (l *counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: c, n: &l.writes}, nil
}

type countedConn struct {
	net.Conn
	n *atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(p)
}

func (c *countedConn) RemoteAddr() net.Addr { return c.Conn.RemoteAddr() }

type server struct {
	server   *edge.Server
	addr     string
	roots    *x509.CertPool
	listener *counted
	stop     context.CancelFunc
	done     chan error
}

func serve(t *testing.T, handler http.HandlerFunc, change func(*edge.Options)) *server {
	t.Helper()
	get, roots := certificate(t)
	opts := edge.Options{Secure: handler, Plain: handler, GetCertificate: get, Log: quiet(), DrainTimeout: 5 * time.Second}
	if change != nil {
		change(&opts)
	}
	s, err := edge.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	out := &server{server: s, addr: l.Addr().String(), roots: roots, listener: &counted{Listener: l}, stop: stop, done: make(chan error, 1)}
	go func() { out.done <- s.Serve(ctx, []net.Listener{out.listener}, nil) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-out.done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Serve did not return")
		}
	})
	return out
}

func (s *server) dial(t *testing.T, change func(*tls.Config)) (*tls.Conn, error) {
	t.Helper()
	config := &tls.Config{RootCAs: s.roots, ServerName: name}
	if change != nil {
		change(config)
	}
	c, err := tls.Dial("tcp", s.addr, config)
	if err == nil {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return c, err
}

func (s *server) client(t *testing.T, h2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: h2,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, s.addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestBothProtocolsAreServedAndKnown(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %v %s", r.Proto, r.TLS != nil, r.RemoteAddr)
	}, nil)
	for h2, want := range map[bool]string{false: "HTTP/1.1 true 127.0.0.1:", true: "HTTP/2.0 true 127.0.0.1:"} {
		resp, err := s.client(t, h2).Get("https://" + name + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), want) {
			t.Errorf("%q, %v", body, err)
		}
	}
}

func TestLargeWriteIsOneSystemCall(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 128<<10)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}, nil)
	client := s.client(t, false)
	fetch := func() {
		resp, err := client.Get("https://" + name + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	fetch() // with the handshake
	before := s.listener.writes.Load()
	fetch()
	// net/http sends the header with the first 4 KiB, then the rest at once: nine records.
	if n := s.listener.writes.Load() - before; n > 2 {
		t.Errorf("%d writes", n)
	}
}

func TestOldTLSIsRefusedAndAnyServerNameServed(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {}, nil)
	if _, err := s.dial(t, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if _, err := s.dial(t, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
	for _, sni := range []string{"", "unknown.example"} {
		_, err := s.dial(t, func(c *tls.Config) {
			c.ServerName, c.InsecureSkipVerify = sni, true // checked below, against the name that counts
			c.VerifyConnection = func(state tls.ConnectionState) error {
				_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: s.roots, DNSName: name})
				return err
			}
		})
		if err != nil {
			t.Errorf("server name %q: %v", sni, err)
		}
	}
}
