package edge_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/edge"
)

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
