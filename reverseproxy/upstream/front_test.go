package upstream_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/upstream"
)

// serve starts an application with net/http behind a socket.
func serve(t *testing.T, handler http.HandlerFunc) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "up")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		os.RemoveAll(dir)
	})
	return l.Addr().String()
}

// front is a server that forwards everything; the client's name is in the request.
type front struct {
	*httptest.Server
	errs chan error
}

func forward(t *testing.T, o upstream.Options, to upstream.Target) *front {
	t.Helper()
	f := &front{errs: make(chan error, 100)}
	tr := upstream.New(o)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := to
		to.Client = r.Header.Get("X-Client")
		err := tr.Forward(w, r, to)
		if err != nil && !errors.Is(err, upstream.ErrAborted) {
			w.WriteHeader(http.StatusBadGateway)
		}
		f.errs <- err
	}))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// dial opens a connection and sends text.
func (f *front) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// wants waits for the outcome of one request.
func (f *front) wants(t *testing.T, doing string, want error) {
	t.Helper()
	select {
	case err := <-f.errs:
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", doing, err, want)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("%s: no outcome, want %v", doing, want)
	}
}

func post(t *testing.T, url string, body io.Reader, length int) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(length)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// echo answers what it read, and how it came.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	w.Header().Set("X-Expect", r.Header.Get("Expect"))
	_, _ = w.Write(body)
}

func TestBodiesOfAllSizesAndFramingsArriveWhole(t *testing.T) {
	const buffer = 100_000
	f := forward(t, upstream.Options{BufferSize: buffer}, upstream.Target{Socket: serve(t, echo)})
	for _, size := range []int{0, 1, 4096, 4097, 8 << 10, 8<<10 + 1, buffer - 1, buffer, buffer + 1, 1 << 20} {
		body := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		for _, length := range []int{size, -1} {
			res, got := post(t, f.URL, io.MultiReader(bytes.NewReader(body)), length)
			f.wants(t, "forwarding", nil)
			want := size
			if length < 0 && size >= buffer {
				want = -1 // it does not fit, so its length is not known before it is sent
			}
			if got != string(body) || res.Header.Get("X-Length") != fmt.Sprint(want) {
				t.Errorf("%d bytes with length %d: %d bytes came back, announced as %s", size, length, len(got), res.Header.Get("X-Length"))
			}
		}
	}
}

func TestABoundedBodyMayBeAsLongAsItsBoundAndNotLonger(t *testing.T) {
	const bound = 10_000
	f := forward(t, upstream.Options{BufferSize: 100}, upstream.Target{Socket: serve(t, echo), MaxBody: bound})
	for _, length := range []int{bound - 1, bound} {
		for _, announced := range []int{length, -1} {
			if _, got := post(t, f.URL, io.MultiReader(strings.NewReader(strings.Repeat("x", length))), announced); len(got) != length {
				t.Errorf("of %d bytes %d came back", length, len(got))
			}
			f.wants(t, "a body within its bound", nil)
		}
	}
	for _, announced := range []int{bound + 1, -1} {
		post(t, f.URL, io.MultiReader(strings.NewReader(strings.Repeat("x", bound+1))), announced)
		f.wants(t, "a body beyond its bound", upstream.ErrTooLarge)
	}
}

func TestWhoSendsABodyTooSlowlyOrStopsIsToldApart(t *testing.T) {
	app := serve(t, echo)
	slow := upstream.Options{BufferSize: 1000, BodyTimeout: 50 * time.Millisecond, ClientTimeout: 50 * time.Millisecond, Grace: 50 * time.Millisecond}
	for name, c := range map[string]struct {
		to     upstream.Target
		length string
		leaves bool
		want   error
	}{
		"a bounded one stops":         {upstream.Target{Socket: app, MaxBody: 5000}, "Content-Length: 4000", false, upstream.ErrSlow},
		"a small one stops":           {upstream.Target{Socket: app}, "Content-Length: 900", false, upstream.ErrSlow},
		"a large one stops":           {upstream.Target{Socket: app}, "Content-Length: 4000", false, upstream.ErrSlow},
		"one without a length stops":  {upstream.Target{Socket: app}, "Transfer-Encoding: chunked", false, upstream.ErrSlow},
		"a small one's client leaves": {upstream.Target{Socket: app}, "Content-Length: 900", true, upstream.ErrClient},
		"a large one's client leaves": {upstream.Target{Socket: app}, "Content-Length: 4000", true, upstream.ErrClient},
	} {
		f := forward(t, slow, c.to)
		sent := strings.Repeat("x", 500)
		if strings.HasPrefix(c.length, "Transfer") {
			sent = "1f4\r\n" + sent + "\r\n"
		} else if c.length == "Content-Length: 4000" && c.to.MaxBody == 0 {
			sent = strings.Repeat("x", 1500) // more than is taken in before the request has its place
		}
		conn := f.dial(t, "POST / HTTP/1.1\r\nHost: a.test\r\n"+c.length+"\r\n\r\n"+sent)
		if c.leaves {
			_ = conn.Close()
		}
		f.wants(t, name, c.want)
	}
}

func TestAnApplicationThatDoesNotAnswerIsGivenUp(t *testing.T) {
	app := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	f := forward(t, upstream.Options{HeaderTimeout: 100 * time.Millisecond, BufferSize: 1000}, upstream.Target{Socket: app})
	for _, size := range []int{0, 10, 50_000} {
		post(t, f.URL, strings.NewReader(strings.Repeat("x", size)), size)
		f.wants(t, fmt.Sprintf("after a body of %d bytes", size), upstream.ErrTimeout)
	}
}

func TestAnEarlyAnswerReachesAClientThatStillSends(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	f := forward(t, upstream.Options{BufferSize: 1000}, upstream.Target{Socket: app})
	conn := f.dial(t, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10000000\r\n\r\n"+strings.Repeat("x", 100_000))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || string(body) != "too much\n" || !res.Close {
		t.Errorf("got %d %q, the connection closes: %v (%v)", res.StatusCode, body, res.Close, err)
	}
	_ = conn.Close()
	f.wants(t, "an early answer", nil)
}

func TestALargeBodyIsReadWhenTheApplicationAsksForIt(t *testing.T) {
	for name, refuses := range map[string]bool{"asked for": false, "refused": true} {
		app := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if refuses {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			echo(w, r)
		})
		f := forward(t, upstream.Options{BufferSize: 1000}, upstream.Target{Socket: app})
		conn := f.dial(t, "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n")
		br := bufio.NewReader(conn)
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if refuses {
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d", name, res.StatusCode)
			}
			f.wants(t, name, nil)
			continue
		}
		if res.StatusCode != http.StatusContinue {
			t.Fatalf("%s: %d before the body", name, res.StatusCode)
		}
		if _, err := io.WriteString(conn, strings.Repeat("x", 5000)); err != nil {
			t.Fatal(err)
		}
		if res, err = http.ReadResponse(br, nil); err != nil || res.ContentLength != 5000 && res.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", name, res, err)
		}
		f.wants(t, name, nil)
	}
}

func TestASmallBodyNeedsNobodyToAskForIt(t *testing.T) {
	f := forward(t, upstream.Options{}, upstream.Target{Socket: serve(t, echo)})
	conn := f.dial(t, "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
	br := bufio.NewReader(conn)
	for want := range map[int]bool{http.StatusContinue: true} {
		if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != want {
			t.Fatalf("%v, %v", res, err)
		}
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("X-Expect") != "" {
		t.Errorf("%v, %v", res, err)
	}
}

func TestErrorPagesOfTheWebServerAreTheCallersToReplace(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Own", r.URL.Query().Get("own"))
		w.WriteHeader(http.StatusBadGateway)
	})
	o := upstream.Options{ErrorPageStatus: func(r *http.Response) int {
		if r.Header.Get("X-Own") == "" {
			return 0
		}
		return http.StatusServiceUnavailable
	}}
	f := forward(t, o, upstream.Target{Socket: app})
	post(t, f.URL+"/?own=1", nil, 0)
	var page *upstream.WebServerError
	if err := <-f.errs; !errors.As(err, &page) || page.Status != http.StatusBadGateway || page.Page != http.StatusServiceUnavailable {
		t.Errorf("the web server's own page: %v", err)
	}
	if res, _ := post(t, f.URL, nil, 0); res.StatusCode != http.StatusBadGateway {
		t.Errorf("the application's answer: %d", res.StatusCode)
	}
	f.wants(t, "the application's answer", nil)
}

// script answers each connection with one text, whatever is asked.
func script(t *testing.T, answer string) *front {
	t.Helper()
	filter := func(h http.Header) { h.Del("X-Secret") }
	return forward(t, upstream.Options{MaxHeaderBytes: 4096, StallTimeout: time.Second, HeaderTimeout: time.Second},
		upstream.Target{Socket: listenOnce(t, answer), Filter: filter})
}

func TestInterimResponsesComeBeforeTheFinalOne(t *testing.T) {
	const final = "HTTP/1.1 200 OK\r\nX-Secret: 1\r\nTrailer: X-End, X-Secret\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"2\r\nok\r\n0\r\nX-End: yes\r\nX-Secret: 2\r\n\r\n"
	f := script(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\nX-Secret: 0\r\n\r\n"+final)
	conn := f.dial(t, "GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n\r\n")
	br := bufio.NewReader(conn)
	hints, err := http.ReadResponse(br, nil)
	if err != nil || hints.StatusCode != http.StatusEarlyHints || hints.Header.Get("Link") != "<a>" || hints.Header.Get("X-Secret") != "" {
		t.Fatalf("%v, %v", hints, err)
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "ok" || res.Header.Get("Link") != "" || res.Header.Get("X-Secret") != "" {
		t.Errorf("%q %v, %v", body, res.Header, err)
	}
	if res.Trailer.Get("X-End") != "yes" || res.Trailer.Get("X-Secret") != "" {
		t.Errorf("trailer %v", res.Trailer)
	}
}

func TestAnswersThatCannotBeTrustedAreBad(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":                     "hello\r\n\r\n",
		"nothing":                     "",
		"a protocol nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"interim ones without end":    strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 17),
		"a header without end":        "HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 40_000) + "\r\n\r\n",
	} {
		f := script(t, answer)
		f.dial(t, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx")
		f.wants(t, name, upstream.ErrBadAnswer)
	}
	f := script(t, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 15)+ok)
	f.dial(t, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
	f.wants(t, "as many interim ones as may be", nil)
}

// tunnelled is an application that changes the protocol and sends back what it is sent, in capitals.
func tunnelled(t *testing.T) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-App: 1\r\n\r\n", r.Header.Get("Upgrade"))
		_ = rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				_, _ = io.WriteString(conn, "BYE\n")
				return
			}
			_, _ = io.WriteString(conn, strings.ToUpper(line))
		}
	})
}

const upgrade = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

func TestATunnelCarriesBothDirectionsToTheirEnds(t *testing.T) {
	f := forward(t, upstream.Options{}, upstream.Target{Socket: tunnelled(t)})
	conn := f.dial(t, upgrade+"early\n") // what comes with the request belongs to the tunnel
	br := bufio.NewReader(conn)
	head, err := textproto.NewReader(br).ReadLine()
	if err != nil || head != "HTTP/1.1 101 Switching Protocols" {
		t.Fatalf("%q, %v", head, err)
	}
	fields, err := textproto.NewReader(br).ReadMIMEHeader()
	if err != nil || fields.Get("Upgrade") != "websocket" || fields.Get("Connection") != "Upgrade" || fields.Get("X-App") != "1" {
		t.Errorf("%v, %v", fields, err)
	}
	for _, text := range []string{"early\n", "late\n"} {
		if text == "late\n" {
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := br.ReadString('\n'); err != nil || got != strings.ToUpper(text) {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil { // one direction ends, the other goes on
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(br); err != nil || string(rest) != "BYE\n" {
		t.Errorf("after its end %q, %v", rest, err)
	}
	f.wants(t, "a tunnel", nil)
}

func TestAnIdleTunnelEndsAndABusyOneDoesNot(t *testing.T) {
	f := forward(t, upstream.Options{TunnelTimeout: time.Second}, upstream.Target{Socket: tunnelled(t)})
	conn := f.dial(t, upgrade)
	br := bufio.NewReader(conn)
	if _, err := textproto.NewReader(br).ReadLine(); err != nil {
		t.Fatal(err)
	}
	if _, err := textproto.NewReader(br).ReadMIMEHeader(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 1500*time.Millisecond; {
		if _, err := io.WriteString(conn, "x\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := br.ReadString('\n'); err != nil || got != "X\n" {
			t.Fatalf("while it was in use: %q, %v", got, err)
		}
	}
	f.wants(t, "an idle tunnel", nil)
}
