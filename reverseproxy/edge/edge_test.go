package edge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
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
	out := &server{addr: l.Addr().String(), roots: roots, listener: &counted{Listener: l}, stop: stop, done: make(chan error, 1)}
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

func TestSilentClientsAreDropped(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {}, func(o *edge.Options) {
		o.HandshakeTimeout, o.ReadHeaderTimeout, o.IdleTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	})
	dropped := func(what string, c net.Conn) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: still open", what)
		}
	}
	bare, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	dropped("before the handshake", bare)
	for what, said := range map[string]string{
		"before a request": "", "within a header": "GET / HTTP/1.1\r\nHost: x\r\nX: ", "between requests": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c, err := s.dial(t, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, said)
		dropped(what, c)
	}
	c, err := s.dial(t, func(c *tls.Config) { c.NextProtos = []string{"h2"} })
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	dropped("idle HTTP/2", c)
}

func TestClientThatDoesNotReadIsDropped(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		block := make([]byte, 1<<20)
		for {
			if _, err := w.Write(block); err != nil {
				ended <- err
				return
			}
		}
	}, func(o *edge.Options) { o.WriteTimeout = 100 * time.Millisecond })
	c, err := s.dial(t, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("still writing")
	}
}

func TestHijackedConnectionIsCutAtTheEndOfDraining(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "mine\n")
		rw.ReadByte() // until it is cut
	}, func(o *edge.Options) { o.DrainTimeout = 50 * time.Millisecond })
	c, err := s.dial(t, func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	s.stop()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("still open: %v", err)
	}
}

func TestIdleHTTP2ConnectionEndsWithTheServer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {}, nil)
	resp, err := s.client(t, true).Get("https://" + name + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	start := time.Now()
	s.stop()
	err = <-s.done
	s.done <- err
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("draining took %v with nothing in flight", took)
	}
}

func TestSocketPassesToASuccessorWithoutAGap(t *testing.T) {
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	spec := edge.Socket{Path: filepath.Join(dir, "edge.sock"), Mode: 0o660, Group: os.Getgid()}
	old, err := edge.ListenUnix(spec)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(spec.Path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	successor, err := edge.ListenUnix(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	old.Close() // must not take the successor's name away
	accepted := make(chan error, 1)
	go func() {
		c, err := successor.Accept()
		if err == nil {
			c.Close()
		}
		accepted <- err
	}()
	c, err := net.Dial("unix", spec.Path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := <-accepted; err != nil {
		t.Error(err)
	}
}

func TestUnusableSocketPathsAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file.new")
	if err := os.WriteFile(file, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"relative.sock", "/" + strings.Repeat("x", 107), filepath.Join(dir, "file"), filepath.Join(dir, "missing", "x.sock")} {
		if l, err := edge.ListenUnix(edge.Socket{Path: path, Mode: 0o600}); err == nil {
			l.Close()
			t.Errorf("%s: bound", path)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
		t.Errorf("file was removed: %v", err)
	}
}

// TestInheritedListenerServes runs this test binary once more as the child that inherits.
func TestInheritedListenerServes(t *testing.T) {
	if os.Getenv("EDGE_CHILD") != "" {
		child()
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	// The shell gives its own number, which becomes the child's, as LISTEN_PID.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run '^TestInheritedListenerServes$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "EDGE_CHILD=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=https")
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	l.Close()
	file.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(c); string(got) != "inherited https" {
		t.Errorf("%q, %v", got, err)
	}
}

func child() {
	listeners, err := edge.Inherited(os.Getenv, os.Getpid())
	if err != nil || listeners["https"] == nil {
		os.Exit(3)
	}
	c, err := listeners["https"].Accept()
	if err != nil {
		os.Exit(4)
	}
	io.WriteString(c, "inherited https")
	c.Close()
	os.Exit(0)
}

func TestListenersOfAnotherProcessAreLeftAlone(t *testing.T) {
	env := map[string]string{"LISTEN_FDS": "1", "LISTEN_PID": "1"}
	if got, err := edge.Inherited(func(k string) string { return env[k] }, 4242); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	env["LISTEN_PID"] = "4242"
	for _, n := range []string{"-1", "x", "1000"} {
		env["LISTEN_FDS"] = n
		if _, err := edge.Inherited(func(k string) string { return env[k] }, 4242); err == nil {
			t.Errorf("LISTEN_FDS=%s: accepted", n)
		}
	}
}
