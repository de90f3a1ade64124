package edge_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"chatiere/reverseproxy/edge"
)

// from dials from another address of this machine.
func (s *server) from(t *testing.T, address string) (net.Conn, error) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", s.addr)
	if err == nil {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return c, err
}

// secureFrom also shakes hands.
func (s *server) secureFrom(t *testing.T, address string) (*tls.Conn, error) {
	t.Helper()
	c, err := s.from(t, address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(c, &tls.Config{RootCAs: s.roots, ServerName: name, NextProtos: []string{"http/1.1"}})
	return conn, conn.Handshake()
}

// ask sends a request and returns its status.
func ask(c net.Conn, path string) (int, error) {
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, err
	}
	return answered(c)
}

func answered(c net.Conn) (int, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func open(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout()
}

// Two thousand connections from one address, each with half a request, in the clear and after a handshake.
func TestSlowlorisOfOneAddressLeavesTheOthersAlone(t *testing.T) {
	const attackers, share = 2000, 100
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "here") }, func(o *edge.Options) {
		o.MaxClientConns = share
	})
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range attackers {
		if i%10 == 0 {
			// Beyond its share, the handshake fails, which is what it should do.
			if c, err := s.secureFrom(t, "127.0.0.1"); err == nil {
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			}
			continue
		}
		if c, err := s.from(t, "127.0.0.1"); err == nil {
			c.Write([]byte{22, 3, 1}) // the beginning of a handshake
		}
	}
	await(t, "the share is kept to", func() bool {
		return s.server.Counts().Client >= attackers-share && s.server.Open() <= share
	})
	runtime.GC()
	runtime.ReadMemStats(&during)
	// Both ends of all connections are in this process.
	if grown := int64(during.HeapInuse+during.StackInuse) - int64(before.HeapInuse+before.StackInuse); grown > 64<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	start := time.Now()
	for range 20 {
		c, err := s.secureFrom(t, "127.0.0.2")
		if err != nil {
			t.Fatal(err)
		}
		if status, err := ask(c, "/"); err != nil || status != 200 {
			t.Fatalf("status %d, %v", status, err)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("20 visits of another address took %v", took)
	}
}

func TestIdleConnectionsMakeRoomAndBusyOnesStay(t *testing.T) {
	const most = 8
	let := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-let
		}
		io.WriteString(w, "here")
	}, func(o *edge.Options) { o.MaxConns = most })
	var idle, busy []net.Conn
	for i := range most {
		c, err := s.secureFrom(t, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
			busy = append(busy, c)
			continue
		}
		if status, err := ask(c, "/"); err != nil || status != 200 {
			t.Fatal(status, err)
		}
		idle = append(idle, c)
	}
	await(t, "the slow requests run", func() bool { return s.server.Busy() == len(busy) })
	var late []net.Conn
	for range idle {
		c, err := s.secureFrom(t, "127.0.0.2")
		if err != nil {
			t.Fatalf("no room was made: %v", err)
		}
		io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
		late = append(late, c)
		await(t, "it is served", func() bool { return s.server.Busy() == len(busy)+len(late) })
	}
	for i, c := range idle {
		if open(c) {
			t.Errorf("idle connection %d is still open", i)
		}
	}
	if _, err := s.secureFrom(t, "127.0.0.3"); err == nil {
		t.Error("one more than there may be")
	}
	if n := s.server.Counts(); n.Evicted != int64(len(idle)) || n.Full != 1 {
		t.Errorf("%+v", n)
	}
	close(let)
	for _, c := range append(busy, late...) {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if status, err := answered(c); err != nil || status != 200 {
			t.Errorf("a busy one: %d, %v", status, err)
		}
	}
}

func TestOneClientsRequestsAreBounded(t *testing.T) {
	const most = 5
	let := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-let
		}
	}, func(o *edge.Options) { o.MaxClientRequests = most })
	client := s.client(t, true) // all in one connection
	done := make(chan int, most)
	for range most {
		go func() {
			resp, err := client.Get("https://" + name + "/slow")
			if err != nil {
				t.Error(err)
				done <- 0
				return
			}
			resp.Body.Close()
			done <- resp.StatusCode
		}()
	}
	await(t, "they run", func() bool { return s.server.Busy() == most })
	c, err := s.secureFrom(t, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := ask(c, "/"); err != nil || status != http.StatusTooManyRequests {
		t.Errorf("one more: %d, %v", status, err)
	}
	other, err := s.secureFrom(t, "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := ask(other, "/"); err != nil || status != 200 {
		t.Errorf("another client: %d, %v", status, err)
	}
	close(let)
	for range most {
		if status := <-done; status != 200 {
			t.Errorf("status %d", status)
		}
	}
	if status, err := ask(c, "/"); err != nil || status != 200 {
		t.Errorf("afterwards: %d, %v", status, err)
	}
	if n := s.server.Counts().Busy; n != 1 {
		t.Errorf("counted %d", n)
	}
}

// addressed is a connection that says it comes from somewhere.
type addressed struct {
	net.Conn
	remote, local net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }
func (a addressed) LocalAddr() net.Addr  { return a.local }

func TestAClientIsAnAddressOrANetworkOrASocket(t *testing.T) {
	tcp := func(ip string) net.Conn {
		addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(ip, "1"))
		if err != nil {
			t.Fatal(err)
		}
		return addressed{remote: addr, local: &net.TCPAddr{}}
	}
	for ip, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2:ffff::1": "2001:db8:1:2::/64", "fe80::1%lo": "fe80::/64",
	} {
		if got := edge.ClientOf(tcp(ip)); got != want {
			t.Errorf("%s is %s", ip, got)
		}
	}
	one := edge.ClientOf(addressed{remote: &net.UnixAddr{}, local: &net.UnixAddr{Name: "/run/a.sock"}})
	other := edge.ClientOf(addressed{remote: &net.UnixAddr{}, local: &net.UnixAddr{Name: "/run/b.sock"}})
	if one == other {
		t.Errorf("two sockets are %s", one)
	}
}

// Requests that are taken back at once must not leave more work behind than those that are not.
func TestRapidResetIsCutOff(t *testing.T) {
	let := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			<-let
		}
	}, nil)
	defer close(let)
	c, err := s.dial(t, func(c *tls.Config) { c.NextProtos = []string{"h2"} })
	if err != nil {
		t.Fatal(err)
	}
	h := newFramed(t, c)
	told := make(chan error, 1)
	go func() {
		for {
			frame, err := h.ReadFrame()
			if away, ok := frame.(*http2.GoAwayFrame); ok && away.ErrCode == http2.ErrCodeEnhanceYourCalm {
				err = nil
			} else if err == nil {
				continue
			}
			told <- err
			return
		}
	}()
	for stream := uint32(1); stream < 20000; stream += 2 {
		if h.ask(stream) != nil || h.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			break // it has been closed already
		}
	}
	if err := <-told; err != nil {
		t.Errorf("10,000 requests were taken back on one connection: %v", err)
	}
	if n := s.server.Busy(); n > 128 {
		t.Errorf("%d requests are being worked on", n)
	}
	other, err := s.secureFrom(t, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := ask(other, "/"); err != nil || status != 200 {
		t.Errorf("meanwhile: %d, %v", status, err)
	}
}
