package reverseproxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestAmbiguousRequestsAreRefused(t *testing.T) {
	var reached atomic.Int32
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { reached.Add(1) })
	p := start(t, nil, serving(socket))
	host := "Host: " + siteHost + "\r\n"
	for name, request := range map[string]string{
		"two hosts":             "GET / HTTP/1.1\r\n" + host + "Host: evil.test\r\n\r\n",
		"two equal hosts":       "GET / HTTP/1.1\r\n" + host + host + "\r\n",
		"no host":               "GET / HTTP/1.1\r\n\r\n",
		"host with a path":      "GET / HTTP/1.1\r\nHost: " + siteHost + "/x\r\n\r\n",
		"two lengths":           "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"signed length":         "POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\na",
		"negative length":       "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n",
		"listed length":         "POST / HTTP/1.1\r\n" + host + "Content-Length: 1, 2\r\n\r\na",
		"unknown coding":        "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two codings":           "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"coding with tab":       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
		"space before colon":    "GET / HTTP/1.1\r\n" + host + "Content-Length : 5\r\n\r\n",
		"folded header":         "GET / HTTP/1.1\r\n folded: x\r\n" + host + "\r\n",
		"zero byte in header":   "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n",
		"return in header":      "GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n",
		"zero byte in path":     "GET /a%00.php HTTP/1.1\r\n" + host + "\r\n",
		"bad escape":            "GET /%zz HTTP/1.1\r\n" + host + "\r\n",
		"space in path":         "GET /a b HTTP/1.1\r\n" + host + "\r\n",
		"control in query":      "GET /?a\x01b HTTP/1.1\r\n" + host + "\r\n",
		"asterisk":              "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
		"authority form":        "GET " + siteHost + ":443 HTTP/1.1\r\n" + host + "\r\n",
		"connect":               "CONNECT " + siteHost + ":443 HTTP/1.1\r\n" + host + "\r\n",
		"trace":                 "TRACE / HTTP/1.1\r\n" + host + "\r\n",
		"odd version":           "GET / HTTP/1.9x\r\n" + host + "\r\n",
		"above the root":        "GET /a/../../x HTTP/1.1\r\n" + host + "\r\n",
		"encoded above":         "GET /%2e%2e/x HTTP/1.1\r\n" + host + "\r\n",
		"encoded slash above":   "GET /a/..%2f..%2fx HTTP/1.1\r\n" + host + "\r\n",
		"small method":          "get / HTTP/1.1\r\n" + host + "\r\n",
		"relative path":         "GET admin HTTP/1.1\r\n" + host + "\r\n",
		"oversize header":       "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 100<<10) + "\r\n\r\n",
		"user in absolute form": "GET https://" + siteHost + "@evil.test/ HTTP/1.1\r\n" + host + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			reached.Store(0)
			c := p.dial(t, "http/1.1")
			io.WriteString(c, request)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode < 400 || reached.Load() != 0 {
				t.Errorf("status %d, application reached %d times", resp.StatusCode, reached.Load())
			}
			if !resp.Close && resp.StatusCode != 404 {
				t.Error("connection stays open for what follows")
			}
		})
	}
}

// A length beside a coding is what smugglers live on; net/http believes the coding. It must come out
// as one request with one framing.
func TestLengthBesideCodingIsReframed(t *testing.T) {
	var requests []string
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests = append(requests, fmt.Sprintf("%s %s %q %v %d", r.Method, r.URL.Path, body, r.TransferEncoding, r.ContentLength))
	})
	p := start(t, nil, serving(socket))
	c := p.dial(t, "http/1.1")
	fmt.Fprintf(c, "POST /a HTTP/1.1\r\nHost: %s\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"2c\r\nGET /admin HTTP/1.1\r\nHost: x\r\nContent-Len: 9\r\n0\r\n\r\n", siteHost)
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
		resp.Body.Close()
	}
	for _, r := range requests {
		if !strings.HasPrefix(r, "POST /a ") {
			t.Errorf("application saw %s", r)
		}
	}
}

func TestTrickyTargetsAreReadOnce(t *testing.T) {
	var got string
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { got = r.RequestURI })
	p := start(t, nil, serving(socket))
	for target, want := range map[string]string{
		"/a#b":                           "/a%23b", // nginx would cut at the sign
		"//evil.test/x":                  "//evil.test/x",
		"/a%2Fb":                         "/a%2Fb",
		"/?":                             "/?",
		"/%C3%A9t%C3%A9?q=%20":           "/%C3%A9t%C3%A9?q=%20",
		"https://" + siteHost + "/abs?x": "/abs?x",
	} {
		got = ""
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, siteHost)
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 || got != want {
			t.Errorf("%s: %v, application saw %q", target, err, got)
		}
	}
}

func TestHostDecidesWhateverTheServerNameWas(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	p := start(t, nil, serving(socket))
	for host, want := range map[string]int{
		siteHost: 200, strings.ToUpper(siteHost): 200, siteHost + ".": 200, siteHost + ":1": 200,
		"evil.test": 404, "127.0.0.1": 404, "[::1]": 404, "x" + siteHost: 404,
	} {
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v", host, resp, err)
		}
	}
}

// h2request sends one request of the test's own making and returns its status, or "reset".
func h2request(t *testing.T, p *proxy, fields ...string) string {
	t.Helper()
	c := p.dial(t, "h2")
	io.WriteString(c, http2.ClientPreface)
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "reset"
		}
	}
}

func TestHTTP2CannotSmuggleIntoHTTP1(t *testing.T) {
	var mu sync.Mutex
	var heads []string // as bytes, since an application may read them otherwise than net/http
	socket := rawBackend(t, func(c net.Conn) {
		buf := make([]byte, 8192)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			heads = append(heads, string(buf[:n]))
			mu.Unlock()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	p := start(t, nil, serving(socket))
	seen := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(heads)
	}
	request := func(more ...string) string {
		mu.Lock()
		heads = nil
		mu.Unlock()
		base := map[string]string{":method": "GET", ":scheme": "https", ":authority": siteHost, ":path": "/"}
		var rest []string
		for i := 0; i < len(more); i += 2 {
			if _, pseudo := base[more[i]]; pseudo {
				base[more[i]] = more[i+1]
				continue
			}
			rest = append(rest, more[i], more[i+1])
		}
		var fields []string
		for _, name := range []string{":method", ":scheme", ":authority", ":path"} {
			fields = append(fields, name, base[name])
		}
		return h2request(t, p, append(fields, rest...)...)
	}
	if status := request(); status != "200" {
		t.Fatalf("sound request: %s", status)
	}
	for name, fields := range map[string][]string{
		"space in query":      {":path", "/?x HTTP/1.1"},
		"line end in path":    {":path", "/ HTTP/1.1\r\nX: y"},
		"line end in query":   {":path", "/?\r\nX: y"},
		"line end in method":  {":method", "GET / HTTP/1.1\r\nX: y"},
		"space in method":     {":method", "GET /admin"},
		"line end in value":   {"x", "a\r\nTransfer-Encoding: chunked"},
		"line end in name":    {"x\r\ny", "a"},
		"colon in name":       {"x:y", "a"},
		"connection":          {"connection", "close"},
		"coding":              {"transfer-encoding", "chunked"},
		"upgrade":             {"upgrade", "websocket"},
		"other host":          {"host", "evil.test"},
		"host with line end":  {":authority", siteHost + "\r\nX: y"},
		"relative path":       {":path", "admin"},
		"asterisk":            {":path", "*"},
		"length without body": {"content-length", "5"},
	} {
		if status := request(fields...); status == "200" || len(seen()) != 0 {
			t.Errorf("%s: %s, application saw %q", name, status, seen())
		}
	}
	if status := request(":path", "/a b"); status == "200" && !strings.HasPrefix(seen()[0], "GET /a%20b HTTP/1.1\r\n") {
		t.Errorf("space in path: application saw %q", seen())
	}
	if status := request("host", siteHost); status != "200" {
		t.Errorf("equal host beside authority: %s", status)
	}
}

func TestRefusedPathsStayRefusedInEveryDisguise(t *testing.T) {
	var reached atomic.Int32
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { reached.Add(1) })
	p := start(t, nil, serving(socket, `^/wp-content/uploads/.*\.php(/|$)`, `^/wp-config\.php$`, `(^|/)\.git(/|$)`, `^/private/`))
	for _, path := range []string{
		"/wp-content/uploads/x.php", "/wp-content/uploads/2026/x.php", "//wp-content//uploads//x.php",
		"/./wp-content/./uploads/x.php", "/a/../wp-content/uploads/x.php", "/wp-content/uploads/x.php/",
		"/wp-content/uploads/x.php/info", "/wp-content/uploads/x%2ephp", "/wp-content/uploads/%78.php",
		"/wp-content%2fuploads%2fx.php", "/wp-content/uploads/x%252ephp", "/wp-content/uploads/x%25252ephp",
		"/wp-content%252fuploads/x.php", "/wp-content/uploads/x.php.", "/wp-content/uploads/x.php%20",
		"/wp-content/uploads/x.php...", "/wp-content\\uploads\\x.php", "/wp-content%5cuploads%5cx.php",
		"/wp-content/uploads/x.php;a=b", "/wp-content/uploads;a/x.php", "/%2e/wp-config.php", "/x/%2e%2e/wp-config.php",
		"/wp-config.php/", "/.git/config", "/sub/.git/", "/sub/.git", "/sub/%2egit/config", "/private/x", "/private/",
		"/x/..%2fwp-config.php", "/wp-config.php#x", "/wp-content/uploads/x.php?y",
	} {
		for _, suffix := range []string{"", "?q=1"} {
			reached.Store(0)
			c := p.dial(t, "http/1.1")
			fmt.Fprintf(c, "GET %s%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, suffix, siteHost)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if path == "/wp-config.php#x" {
				// Sent on as %23, which is part of the name: another file.
				continue
			}
			if resp.StatusCode != 404 || reached.Load() != 0 {
				t.Errorf("%s%s: status %d, reached %d times", path, suffix, resp.StatusCode, reached.Load())
			}
		}
	}
	for _, path := range []string{"/x%00.php", "/x%2500.php", "/x%252500", "/%2525252525252525"} {
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, siteHost)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 400 {
			t.Errorf("%s: %v %v", path, resp, err)
		}
	}
	for _, path := range []string{"/", "/wp-content/uploads/photo.jpg", "/index.php", "/caf%C3%A9/", "/100%25", "/a+b", "/wp-config.phps", "/gitx"} {
		reached.Store(0)
		c := p.dial(t, "http/1.1")
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, siteHost)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 200 || reached.Load() != 1 {
			t.Errorf("%s: %v %v, reached %d times", path, resp, err, reached.Load())
		}
	}
}
