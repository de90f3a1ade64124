package reverseproxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
)

// taken is what is taken in of a body before the application sees any of it.
const taken = 256 << 10

func TestUploadIsStreamed(t *testing.T) {
	first, got := make(chan string), make(chan int64, 1)
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		start := make([]byte, taken+5)
		io.ReadFull(r.Body, start)
		first <- string(start[taken:])
		n, _ := io.Copy(io.Discard, r.Body)
		got <- n
	})
	p := start(t, nil, serving(socket))
	both(t, p, func(t *testing.T, client *http.Client) {
		for _, length := range []int64{-1, taken + 5 + 8<<20} {
			reader, writer := io.Pipe()
			req, err := http.NewRequest("POST", "https://"+siteHost+"/", reader)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			go func() {
				writer.Write(make([]byte, taken))
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
		io.CopyN(io.Discard, r.Body, taken)
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
		go func() {
			writer.Write(make([]byte, taken))
			io.WriteString(writer, "0\n")
		}()
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

func TestUploadThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	result := make(chan error, 1)
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		result <- err
	})
	p := start(t, nil, serving(socket))
	much := strings.Repeat("x", taken)
	for _, framing := range []string{
		"Content-Length: 1000000\r\n\r\n" + much, "Transfer-Encoding: chunked\r\n\r\n40000\r\n" + much + "\r\n",
		"Transfer-Encoding: chunked\r\n\r\n40000\r\n" + much + "\r\nnonsense\r\n",
	} {
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\n%s", siteHost, framing)
		if !strings.Contains(framing, "nonsense") { // there the client stays
			c.Close()
		}
		select {
		case err := <-result:
			if err == nil {
				t.Errorf("%.60s: application believes it has the whole body", framing)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%.60s: application was never told", framing)
		}
	}
}

// One that is small enough to be taken in whole never gets there.
func TestSmallBodyThatBreaksOffNeverReachesTheApplication(t *testing.T) {
	reached := make(chan string, 10)
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { reached <- r.URL.Path })
	p := start(t, nil, serving(socket))
	for _, framing := range []string{
		"Content-Length: 1000\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n",
	} {
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "POST /broken HTTP/1.1\r\nHost: %s\r\n%s", siteHost, framing)
		c.CloseWrite()
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("%q: connection stays open: %v", framing, err)
		}
	}
	client := p.client(true)
	resp, err := client.Get("https://" + siteHost + "/next")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if path := <-reached; path != "/next" {
		t.Errorf("the application was asked for %s", path)
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
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	p := start(t, nil, serving(socket))
	large := strings.Repeat("x", taken+1)
	for path, want := range map[string]struct {
		status, asked int
		body          string
	}{"/yes": {200, 1, fmt.Sprint(len(large))}, "/no": {403, 0, ""}} {
		client := p.client(false)
		client.Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
		asked := 0
		trace := &httptrace.ClientTrace{Got100Continue: func() { asked++ }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "PUT",
			"https://"+siteHost+path, strings.NewReader(large))
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
