package upstream_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/reverseproxy/upstream"
)

// app is an application that counts its connections and writes down what it is sent.
type app struct {
	socket   string
	accepted atomic.Int32
	open     atomic.Int32
	heads    chan string
}

// listen starts an app that answers each request head with what answer returns; "" closes.
func listen(t *testing.T, answer func(n int) string) *app {
	t.Helper()
	dir, err := os.MkdirTemp("", "up")
	if err != nil {
		t.Fatal(err)
	}
	a := &app{socket: filepath.Join(dir, "http.sock"), heads: make(chan string, 1000)}
	l, err := net.Listen("unix", a.socket)
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
			a.accepted.Add(1)
			a.open.Add(1)
			conns.Go(func() {
				defer a.open.Add(-1)
				defer c.Close()
				a.serve(c, answer)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	return a
}

func (a *app) serve(c net.Conn, answer func(n int) string) {
	br := bufio.NewReader(c)
	for n := 1; ; n++ {
		var head strings.Builder
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if line == "\r\n" {
				break
			}
		}
		a.heads <- head.String()
		text := answer(n)
		io.WriteString(c, text)
		if text == "" {
			return
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func get(t *testing.T, tr *upstream.Transport, socket string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	return w, tr.Forward(w, r, upstream.Target{Socket: socket})
}

func TestBodyUntilTheEndOfTheConnection(t *testing.T) {
	socket := listenOnce(t, "HTTP/1.0 200 OK\r\n\r\n"+strings.Repeat("x", 100000))
	if w, err := get(t, upstream.New(upstream.Options{}), socket); err != nil || w.Body.Len() != 100000 {
		t.Errorf("%d bytes, %v", w.Body.Len(), err)
	}
}

func TestHeadOfARequestIsWrittenOnceAndWhole(t *testing.T) {
	a := listen(t, func(int) string { return ok })
	tr := upstream.New(upstream.Options{})
	r := httptest.NewRequest("GET", "/a%2Fb?x=1&y", nil)
	r.Host = "demo.lilas.test:8443"
	r.Header = http.Header{
		"Cookie": {"a=1", "b=2"}, "Accept": {"x", "y"}, "Connection": {"close"}, "Keep-Alive": {"5"}, "Te": {"trailers"},
		"Transfer-Encoding": {"chunked"}, "Content-Length": {"7"}, "Host": {"evil.test"},
	}
	if err := tr.Forward(httptest.NewRecorder(), r, upstream.Target{Socket: a.socket}); err != nil {
		t.Fatal(err)
	}
	head := <-a.heads
	if !strings.HasPrefix(head, "GET /a%2Fb?x=1&y HTTP/1.1\r\nHost: demo.lilas.test:8443\r\n") {
		t.Errorf("head %q", head)
	}
	for field, n := range map[string]int{
		"Cookie: a=1; b=2\r\n": 1, "Cookie:": 1, "Accept: ": 2, "Host:": 1, "Connection": 0, "Keep-Alive": 0, "Te:": 0, "Transfer-Encoding": 0, "Content-Length": 0,
	} {
		if got := strings.Count(head, field); got != n {
			t.Errorf("%q stands %d times in %q", field, got, head)
		}
	}
}

func TestEmptyPostHasALength(t *testing.T) {
	a := listen(t, func(int) string { return ok })
	r := httptest.NewRequest("POST", "/", http.NoBody)
	if err := upstream.New(upstream.Options{}).Forward(httptest.NewRecorder(), r, upstream.Target{Socket: a.socket}); err != nil {
		t.Fatal(err)
	}
	if head := <-a.heads; !strings.Contains(head, "Content-Length: 0\r\n") {
		t.Errorf("head %q", head)
	}
}

func TestShortBodyIsAnAbortedResponse(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		dies := func(n int) string { return map[int]string{1: answer}[n] }
		a := listen(t, dies)
		r := httptest.NewRequest("GET", "/", nil)
		done := make(chan error, 1)
		go func() {
			tr := upstream.New(upstream.Options{StallTimeout: 50 * time.Millisecond})
			done <- tr.Forward(httptest.NewRecorder(), r, upstream.Target{Socket: a.socket})
		}()
		if err := <-done; !errors.Is(err, upstream.ErrAborted) {
			t.Errorf("%q: %v", answer, err)
		}
	}
	cut := listenOnce(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
	if _, err := get(t, upstream.New(upstream.Options{}), cut); !errors.Is(err, upstream.ErrAborted) {
		t.Errorf("cut: %v", err)
	}
}

// listenOnce answers each connection once and closes it.
func listenOnce(t *testing.T, answer string) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "up")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.WriteString(c, answer)
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// leaving fails after the first write, as a client does that has left.
type leaving struct{ *httptest.ResponseRecorder }

func (leaving) Write([]byte) (int, error) { return 0, errors.New("client has left") }

func TestResponseNobodyReadsEndsTheUpstreamConnection(t *testing.T) {
	a := listen(t, func(int) string { return ok })
	tr := upstream.New(upstream.Options{})
	err := tr.Forward(leaving{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil), upstream.Target{Socket: a.socket})
	if !errors.Is(err, upstream.ErrAborted) {
		t.Errorf("error %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); a.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("connection stays open")
		}
	}
}

func TestResponseHeadersOfTheConnectionStayBehind(t *testing.T) {
	a := listen(t, func(int) string {
		return "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n"
	})
	w, err := get(t, upstream.New(upstream.Options{}), a.socket)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Connection": "", "X-Hop": "", "Keep-Alive": "", "X-End": "2"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
