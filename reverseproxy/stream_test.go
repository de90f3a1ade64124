package reverseproxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/reverseproxy"
	"chatiere/reverseproxy/upstream"
)

func TestUploadIsStreamed(t *testing.T) {
	first, got := make(chan string), make(chan int64, 1)
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		start := make([]byte, 5)
		io.ReadFull(r.Body, start)
		first <- string(start)
		n, _ := io.Copy(io.Discard, r.Body)
		got <- n
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for _, length := range []int64{-1, 5 + 8<<20} {
			reader, writer := io.Pipe()
			req, err := http.NewRequest("POST", "https://"+siteHost+"/", reader)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			go func() {
				io.WriteString(writer, "start")
				if s := <-first; s != "start" { // the rest is sent only once the beginning has arrived
					writer.CloseWithError(errors.New("beginning was " + s))
					return
				}
				writer.Write(make([]byte, 8<<20))
				writer.Close()
			}()
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if n := <-got; n != 8<<20 {
				t.Errorf("length %d: %d bytes came after the beginning", length, n)
			}
		}
	})
}

func TestBothDirectionsGoOnAtOnce(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, "heard "+line)
			w.(http.Flusher).Flush()
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		reader, writer := io.Pipe()
		go io.WriteString(writer, "0\n")
		resp, err := client.Post("https://"+siteHost+"/", "text/plain", reader)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		for i := range 5 {
			if line, err := lines.ReadString('\n'); line != fmt.Sprintf("heard %d\n", i) {
				t.Fatalf("%q, %v", line, err)
			}
			if i < 4 {
				fmt.Fprintf(writer, "%d\n", i+1)
			}
		}
		writer.Close()
		if rest, err := io.ReadAll(lines); len(rest) != 0 || err != nil {
			t.Errorf("at the end %q, %v", rest, err)
		}
	})
}

func TestDownloadIsStreamed(t *testing.T) {
	next := make(chan struct{})
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for i := range 3 {
			<-next
			fmt.Fprintf(w, "data: %d\n", i)
			w.(http.Flusher).Flush()
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		resp, err := client.Get("https://" + siteHost + "/") // returns with the header, before any event
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			next <- struct{}{}
			if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("event %d: %q, %v", i, line, err)
			}
		}
	})
}

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

func TestClientThatLeavesTakesItsUpstreamRequestAlong(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan struct{})
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for _, body := range []string{"", "some body"} {
			ctx, cancel := context.WithCancel(context.Background())
			req, err := http.NewRequestWithContext(ctx, "POST", "https://"+siteHost+"/", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			go client.Do(req)
			<-arrived
			cancel()
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Fatal("application goes on working for nobody")
			}
		}
	})
	eventually(t, "499 is counted", func() bool { return strings.Contains(p.access.String(), `"status":499`) })
}

func TestUploadThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	result := make(chan error, 1)
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		result <- err
	})
	p := start(t, nil, serving(socket))
	for _, framing := range []string{
		"Content-Length: 1000\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n",
	} {
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\n%s", siteHost, framing)
		if !strings.Contains(framing, "nonsense") { // there the client stays
			c.Close()
		}
		select {
		case err := <-result:
			if err == nil {
				t.Errorf("%s: application believes it has the whole body", framing)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: application was never told", framing)
		}
	}
}

func TestEarlyAnswerToALargeUploadArrives(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	p := start(t, nil, serving(socket))
	check := func(resp *http.Response, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 413 || string(body) != "too much\n" || err != nil {
			t.Errorf("status %d, %q, %v", resp.StatusCode, body, err)
		}
	}
	client := p.client(true)
	for range 10 {
		check(client.Post("https://"+siteHost+"/", "video/mp4", io.LimitReader(zeros{}, 4<<20)))
	}
	for framing, end := range map[string]string{
		"Content-Length: 4194304\r\n\r\n": "", "Transfer-Encoding: chunked\r\n\r\n400000\r\n": "\r\n0\r\n\r\n",
	} {
		// Many clients say all they have to say before they listen.
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\n%s", siteHost, framing)
		if _, err := io.Copy(c, io.LimitReader(zeros{}, 4<<20)); err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, end)
		check(http.ReadResponse(bufio.NewReader(c), nil))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestContinueIsTheApplicationsToGive(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	p := start(t, nil, serving(socket))
	for path, want := range map[string]struct {
		status, asked int
		body          string
	}{"/yes": {200, 1, "the body"}, "/no": {403, 0, ""}} {
		client := p.client(false)
		client.Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
		asked := 0
		trace := &httptrace.ClientTrace{Got100Continue: func() { asked++ }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "PUT",
			"https://"+siteHost+path, strings.NewReader("the body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Expect", "100-continue")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want.status || string(body) != want.body || asked != want.asked {
			t.Errorf("%s: status %d, body %q, asked %d times", path, resp.StatusCode, body, asked)
		}
	}
}

func TestEarlyHintsArePassedOn(t *testing.T) {
	socket := rawBackend(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		var link string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			link = header.Get("Link")
			return nil
		}}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "GET", "https://"+siteHost+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if link != "</a.css>" || resp.Header.Get("Link") != "" {
			t.Errorf("hint %q, then %q", link, resp.Header.Get("Link"))
		}
	})
}

// dial opens a TLS connection on which a test may say what it likes.
func (p *proxy) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", p.https, &tls.Config{RootCAs: p.roots, ServerName: siteHost, NextProtos: []string{protocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
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

func TestWebsocketPassesBothWays(t *testing.T) {
	socket := rawBackend(t, func(c net.Conn) {
		br := bufio.NewReader(c)
		req, err := http.ReadRequest(br)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "Upgrade" {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\nwelcome\n")
		io.Copy(c, br) // until the client has said everything
		io.WriteString(c, "bye\n")
	})
	p := start(t, nil, serving(socket))
	c := p.dial(t, "http/1.1")
	// The first words come in the same packet as the request.
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly\n", siteHost)
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "x" {
		t.Fatalf("%v, %v", resp, err)
	}
	expect := func(want string) {
		t.Helper()
		if got, err := br.ReadString('\n'); got != want {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	expect("welcome\n")
	expect("early\n")
	for i := range 10 {
		line := fmt.Sprintf("message %d\n", i)
		io.WriteString(c, line)
		expect(line)
	}
	c.CloseWrite()
	expect("bye\n")
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
	eventually(t, "the websocket is counted", func() bool {
		return strings.Contains(p.access.String(), `"status":101,"in":106,"out":`)
	})
}

func TestOnlyWebsocketsMayChangeTheProtocol(t *testing.T) {
	var upgrade, settings []string
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		upgrade, settings = r.Header["Upgrade"], r.Header["Http2-Settings"]
	})
	p := start(t, nil, serving(socket))
	c := p.dial(t, "http/1.1")
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", siteHost)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 200 || upgrade != nil || settings != nil {
		t.Errorf("%v %v: Upgrade %q %q", resp, err, upgrade, settings)
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

func TestSpoolHoldsWhatVisitorsAskedFor(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "12345")
	})
	p := start(t, nil, serving(socket, `^/secret`))
	client := p.client(true)
	get(t, client, "https://"+siteHost+"/?password=hunter2")
	get(t, client, "https://"+siteHost+"/secret")
	resp, err := client.Post("https://"+siteHost+"/", "text/plain", strings.NewReader("1234567"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	p.end()
	files, err := filepath.Glob(filepath.Join(p.dir, "spool", "traffic-*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"site":"` + siteID + `"`, `"requests":3`, `"bytes_in":7`, `"2xx":2`, `"4xx":1`, `"404":1`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("lacks %s: %s", want, data)
		}
	}
	if logs := p.access.String() + p.logs.String(); strings.Contains(logs, "hunter2") || strings.Contains(logs, "127.0.0.1:") {
		t.Errorf("log tells too much: %s", logs)
	}
}
