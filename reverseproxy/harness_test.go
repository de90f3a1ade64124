package reverseproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"chatiere/reverseproxy"
	"chatiere/reverseproxy/accesslog"
	"chatiere/reverseproxy/certs"
	"chatiere/reverseproxy/edge"
)

const (
	domain   = "lilas.test"
	siteHost = "demo." + domain
	siteID   = "s7k2m9qx4p"
	port     = 8443
)

// proxy is a running proxy with its own directories, certificate and table.
type proxy struct {
	t      testing.TB
	dir    string
	roots  *x509.CertPool
	https  string
	http   string
	socket string
	logs   *buffer
	access *buffer

	version int64
	stop    context.CancelFunc
	done    chan struct{}
}

// buffer is written by the proxy and read by the test.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// shortDir is a temporary directory whose name leaves room for a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start runs a proxy whose table holds routes.
func start(t testing.TB, change func(*reverseproxy.Options), routes ...reverseproxy.Route) *proxy {
	t.Helper()
	p := &proxy{t: t, dir: shortDir(t), logs: new(buffer), access: new(buffer), done: make(chan struct{})}
	for _, dir := range []string{"routes", "spool", "run"} {
		if err := os.Mkdir(filepath.Join(p.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.certify()
	if routes != nil {
		p.write(routes...)
	}
	opts := p.options()
	if change != nil {
		change(&opts)
	}
	ready := make(chan []net.Addr, 1)
	opts.Ready = func(addrs []net.Addr) { ready <- addrs }
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	failed := make(chan error, 1)
	go func() {
		defer close(p.done)
		if err := reverseproxy.Run(ctx, opts, slog.New(slog.NewTextHandler(p.logs, nil))); err != nil {
			failed <- err
			t.Errorf("Run: %v", err)
		}
	}()
	select {
	case addrs := <-ready:
		p.https, p.http, p.socket = addrs[0].String(), addrs[1].String(), opts.Sockets[0].Path
	case err := <-failed:
		t.Fatal(err)
	case <-time.After(10 * time.Second):
		t.Fatal("proxy did not start")
	}
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("log of the proxy:\n%s", p.logs)
		}
	})
	return p
}

func (p *proxy) options() reverseproxy.Options {
	return reverseproxy.Options{
		Routes: p.routesFile(),
		Cert:   filepath.Join(p.dir, "certs", certs.LeafFile), Key: filepath.Join(p.dir, "certs", certs.KeyFile),
		Spool: filepath.Join(p.dir, "spool"),
		HTTPS: "127.0.0.1:0", HTTP: "127.0.0.1:0",
		Sockets: []edge.Socket{{Path: filepath.Join(p.dir, "run", "edge.sock"), Mode: 0o660}},
		Access:  accesslog.New(p.access),
		Edge:    edge.Options{DrainTimeout: 5 * time.Second},
	}
}

func (p *proxy) end() {
	p.stop()
	<-p.done
}

func (p *proxy) routesFile() string { return filepath.Join(p.dir, "routes", "routes.json") }

func (p *proxy) certify() {
	p.t.Helper()
	dirs := certs.Dirs{CA: filepath.Join(p.dir, "ca"), Leaf: filepath.Join(p.dir, "certs")}
	if _, err := certs.EnsureLocal(dirs, []string{domain}, time.Now); err != nil {
		p.t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dirs.Leaf, certs.CAFile))
	if err != nil {
		p.t.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	p.roots.AppendCertsFromPEM(pem)
}

// write puts a new table in place; it does not wait until the proxy has taken it.
func (p *proxy) write(routes ...reverseproxy.Route) {
	p.t.Helper()
	p.version++
	table := reverseproxy.Table{Version: p.version, Written: time.Now(), PublicPort: port, Routes: routes}
	if err := reverseproxy.WriteTable(p.routesFile(), table); err != nil {
		p.t.Fatal(err)
	}
}

// client speaks HTTP/1.1 or HTTP/2 to the proxy, whatever host it is asked for.
func (p *proxy) client(h2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: p.roots},
		ForceAttemptHTTP2: h2,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			target := p.https
			if _, asked, _ := net.SplitHostPort(addr); asked == "80" {
				target = p.http
			}
			var d net.Dialer
			return d.DialContext(ctx, network, target)
		},
		DisableCompression: true,
	}
	if !h2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// serving is a route to a backend.
func serving(socket string, refuse ...string) reverseproxy.Route {
	return reverseproxy.Route{
		Host: siteHost, Site: siteID, State: reverseproxy.StateServing, Upstream: "unix:" + socket, Lang: "fr", Refuse: refuse,
	}
}

// backend is an application behind a unix socket, on a real HTTP server.
func backend(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	socket := filepath.Join(shortDir(t), "http.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return socket
}

// rawBackend answers each connection by a function of its own.
func rawBackend(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	socket := filepath.Join(shortDir(t), "http.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return socket
}

// eventually waits until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// both runs a test over HTTP/1.1 and HTTP/2.
func both(t *testing.T, p *proxy, test func(t *testing.T, client *http.Client)) {
	t.Helper()
	t.Run("h1", func(t *testing.T) { test(t, p.client(false)) })
	t.Run("h2", func(t *testing.T) { test(t, p.client(true)) })
}
