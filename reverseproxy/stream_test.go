package reverseproxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
