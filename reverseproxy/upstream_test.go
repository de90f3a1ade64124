package reverseproxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/reverseproxy"
	"chatiere/reverseproxy/upstream"
)

func TestBrokenResponseNeverLooksWhole(t *testing.T) {
	answers := map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf a page",
		"large":   "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 100000),
		"chunks":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
		"garbage": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n",
	}
	socket := rawBackend(t, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			io.WriteString(c, answers[strings.TrimPrefix(req.URL.Path, "/")])
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for name := range answers {
			resp, err := client.Get("https://" + siteHost + "/" + name)
			if err != nil {
				continue // cut before the header: not a page at all
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil {
				t.Errorf("%s: %d bytes look like a whole page", name, len(body))
			}
		}
	})
}

func TestNonsenseFromTheUpstreamIsAnsweredWithAPage(t *testing.T) {
	answers := map[string]string{
		"nothing":  "",
		"other":    "SSH-2.0-OpenSSH_9.2\r\n",
		"status":   "HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n",
		"lengths":  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
		"bare":     "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"switch":   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"endless":  "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"interims": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 50) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	}
	socket := rawBackend(t, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			io.WriteString(c, answers[strings.TrimPrefix(req.URL.Path, "/")])
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for name := range answers {
			resp, body := get(t, client, "https://"+siteHost+"/"+name)
			if resp.StatusCode != 502 || !strings.Contains(body, "Ce site ne répond pas") {
				t.Errorf("%s: status %d", name, resp.StatusCode)
			}
		}
	})
}

func TestSlowApplicationIsGivenUp(t *testing.T) {
	leave := make(chan struct{})
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { <-leave })
	t.Cleanup(func() { close(leave) })
	p := start(t, func(o *reverseproxy.Options) { o.Upstream.HeaderTimeout = 50 * time.Millisecond }, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		if resp, _ := get(t, client, "https://"+siteHost+"/"); resp.StatusCode != 504 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func TestConnectionClosedWhileIdleCostsNoRequest(t *testing.T) {
	// Each connection serves one request, promises to stay open, and does not.
	closed := make(chan struct{}, 200)
	socket := rawBackend(t, func(c net.Conn) {
		if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.Copy(io.Discard, req.Body)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			c.Close()
			closed <- struct{}{}
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for i := range 50 {
			var resp *http.Response
			var err error
			if i%2 == 0 {
				resp, err = client.Get("https://" + siteHost + "/")
			} else {
				// Not to be sent twice, so the connection must be looked at before.
				resp, err = client.Post("https://"+siteHost+"/", "text/plain", strings.NewReader("once"))
			}
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Fatalf("request %d: status %d", i, resp.StatusCode)
			}
			<-closed
		}
	})
}

func TestPostIsNeverSentTwice(t *testing.T) {
	var posts atomic.Int32
	socket := rawBackend(t, func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			if req.Method == "POST" {
				posts.Add(1)
				return // dies after having worked
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	p := start(t, nil, serving(socket))
	client := p.client(false)
	get(t, client, "https://"+siteHost+"/")
	resp, err := client.Post("https://"+siteHost+"/", "text/plain", strings.NewReader("order"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 502 || posts.Load() != 1 {
		t.Errorf("status %d after %d posts", resp.StatusCode, posts.Load())
	}
}

func TestTooManyRequestsToOneSiteSpareTheOthers(t *testing.T) {
	leave, arrived := make(chan struct{}), make(chan struct{}, 2)
	slow := backend(t, func(w http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; <-leave })
	quick := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	other := serving(quick)
	other.Host, other.Site = "other."+domain, "other"
	p := start(t, func(o *reverseproxy.Options) { o.Upstream = upstream.Options{MaxActive: 2} }, serving(slow), other)
	client := p.client(true)
	finished := make(chan struct{}, 2)
	for range 2 {
		go func() {
			if resp, err := client.Get("https://" + siteHost + "/"); err == nil {
				resp.Body.Close()
			}
			finished <- struct{}{}
		}()
		<-arrived
	}
	if resp, _ := get(t, client, "https://"+siteHost+"/"); resp.StatusCode != 503 {
		t.Errorf("third request: status %d", resp.StatusCode)
	}
	if resp, _ := get(t, client, "https://other."+domain+"/"); resp.StatusCode != 200 {
		t.Errorf("other site: status %d", resp.StatusCode)
	}
	close(leave)
	<-finished
	<-finished
}
