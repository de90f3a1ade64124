//go:build integration

package reverseproxy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// seen is a request as nginx understood it.
type seen struct {
	ID, Method, URI, Host, Server, ForwardedFor, Forwarded, RealIP, Proto, User, ClientIP, Upgrade, Trailer, Proxy, Original, Status, Line string
}

// nginx is more credulous here than in a site: it takes names with underscores and with signs that are none, so that only
// the proxy stands between a client and what it would have the application believe.
const nginxConf = `daemon off; pid /x/nginx.pid; worker_processes 1; error_log stderr error;
events { worker_connections 512; }
http {
  underscores_in_headers on; ignore_invalid_headers off; large_client_header_buffers 8 64k; client_max_body_size 0; keepalive_timeout 180s;
  client_body_temp_path /x/t1; proxy_temp_path /x/t2; fastcgi_temp_path /x/t3; uwsgi_temp_path /x/t4; scgi_temp_path /x/t5;
  log_format seen escape=json '{"ID":"$http_x_request_id","Method":"$request_method","URI":"$request_uri","Host":"$http_host","Server":"$host","ForwardedFor":"$http_x_forwarded_for",'
    '"Forwarded":"$http_forwarded","RealIP":"$http_x_real_ip","Proto":"$http_x_forwarded_proto","User":"$http_x_chatiere_user","ClientIP":"$http_client_ip$http_true_client_ip",'
    '"Upgrade":"$http_upgrade","Trailer":"$http_trailer$http_te","Proxy":"$http_proxy$http_proxy_authorization","Original":"$http_x_original_url$http_x_rewrite_url$http_x_host","Status":"$status","Line":"$request"}';
  access_log /x/seen.log seen;
  server { listen unix:/x/http.sock; server_name _; location / { return 200 "ok\n"; } }
}
`

// startNginx runs the nginx of the sites' image on a socket.
func startNginx(t *testing.T) (socket string, stop func() []seen) {
	t.Helper()
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(nginxConf), 0o644); err != nil {
		t.Fatal(err)
	}
	image := os.Getenv("CHATIERE_TEST_PHP_IMAGE")
	if image == "" {
		image = "chatiere/php:trixie"
	}
	out, err := exec.Command("docker", "run", "--detach", "--network", "none", "--volume", dir+":/x", "--entrypoint", "nginx", image, "-c", "/x/nginx.conf").CombinedOutput()
	if err != nil {
		t.Fatalf("starting nginx: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	id := lines[len(lines)-1]
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", id).Run() })
	socket = filepath.Join(dir, "http.sock")
	eventually(t, "nginx listens", func() bool { info, err := os.Stat(socket); return err == nil && info.Mode()&0o222 != 0 })
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	return socket, func() []seen {
		// Ended, it also tells of what it had only half of.
		if out, err := exec.Command("docker", "stop", "--time", "10", id).CombinedOutput(); err != nil {
			t.Fatalf("stopping nginx: %v\n%s", err, out)
		}
		return readSeen(t, filepath.Join(dir, "seen.log"))
	}
}

func readSeen(t *testing.T, path string) []seen {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []seen
	for line := range bytes.Lines(b) {
		var s seen
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatalf("nginx's log: %v: %s", err, line)
		}
		out = append(out, s)
	}
	return out
}

// counted is a request as the proxy's log tells it.
type counted struct{ Request, Site, Method, Path string }

func (p *proxy) counted() map[string]counted {
	out := map[string]counted{}
	for line := range strings.Lines(p.access.String()) {
		var c counted
		if json.Unmarshal([]byte(line), &c) == nil && c.Request != "" {
			out[c.Request] = c
		}
	}
	return out
}

// Whatever a client writes, nginx sees only requests that the proxy counted, each once, with the path, the host and the
// statements about the client that the proxy decided on.
func TestNginxSeesTheRequestsThatTheProxyCountedAndNoOther(t *testing.T) {
	socket, stop := startNginx(t)
	p := start(t, nil, serving(socket))
	for _, s := range smugglers() {
		p.throw(t, s)
	}
	for _, s := range streams() {
		p.throwStream(t, s)
	}
	if status := p.get(t, "/last"); status != http.StatusOK {
		t.Errorf("the proxy answers %d after all this", status)
	}
	p.end() // its connections to nginx end, and with them half requests
	all, known, ids := stop(), p.counted(), map[string]bool{}
	if len(all) < 100 {
		t.Errorf("nginx saw %d requests: most of the corpus never reached it", len(all))
	}
	for _, s := range all {
		c, ok := known[s.ID]
		if !ok || ids[s.ID] {
			t.Errorf("nginx saw a request that the proxy did not count (again: %t): %+v", ids[s.ID], s)
			continue
		}
		ids[s.ID] = true
		checkSeen(t, s, c)
	}
	if !strings.Contains(fmt.Sprint(all), "/last") {
		t.Error("the last request is missing in nginx's log")
	}
}

func checkSeen(t *testing.T, s seen, c counted) {
	t.Helper()
	u, err := url.ParseRequestURI(s.URI)
	if err != nil || c.Site != siteID || c.Method != s.Method || string([]rune(u.Path[:min(len(u.Path), 512)])) != c.Path { // the log is valid text
		t.Errorf("nginx saw %s %s (%v), the proxy counted %+v", s.Method, s.URI, err, c)
	}
	authority := fmt.Sprintf("%s:%d", siteHost, port)
	if s.Host != authority || s.Server != siteHost || s.ForwardedFor != "127.0.0.1" || s.RealIP != "127.0.0.1" || s.Proto != "https" {
		t.Errorf("nginx was told %+v", s)
	}
	if s.Forwarded+s.User+s.ClientIP+s.Trailer+s.Proxy+s.Original != "" || s.Upgrade != "" && s.Upgrade != "websocket" {
		t.Errorf("nginx believes a client: %+v", s)
	}
	if s.Status == "400" {
		t.Errorf("nginx cannot read what the proxy wrote: %+v", s)
	}
}

// throw writes a corpus entry and reads until the proxy has nothing more to say.
func (p *proxy) throw(t *testing.T, s smuggler) {
	t.Helper()
	c := p.dial(t, "http/1.1")
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, s.text) // it may well be refused half-way
	_ = c.CloseWrite()
	br := bufio.NewReader(c)
	for answers := 0; ; answers++ {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			if err, ok := err.(interface{ Timeout() bool }); ok && err.Timeout() {
				t.Errorf("%s: no answer and no end", shortOf(s.name))
			}
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if answers > 10 {
			t.Errorf("%s: more than ten answers", shortOf(s.name))
			return
		}
	}
}

func (p *proxy) get(t *testing.T, path string) int {
	t.Helper()
	resp, err := p.client(false).Get("https://" + siteHost + path)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// stream is one HTTP/2 request: its fields, and the data behind them.
type stream struct {
	name   string
	fields []string
	data   []string
	tail   []string // trailers
}

// streams is what HTTP/2 can say and HTTP/1.1 must not be told.
func streams() []stream {
	inner := hidden(9000)
	sized := func(n int) []string { return []string{"content-length", fmt.Sprint(n)} }
	all := []stream{
		{name: "sound", data: []string{"ab"}, fields: sized(2)}, {name: "no length", data: []string{inner}}, {name: "too short a length", data: []string{inner}, fields: sized(1)},
		{name: "too long a length", data: []string{"a"}, fields: sized(100)}, {name: "length of nothing", data: []string{inner}, fields: sized(0)}, {name: "two lengths", data: []string{"ab"}, fields: append(sized(2), sized(0)...)},
		{name: "signed length", data: []string{"ab"}, fields: []string{"content-length", "+2"}}, {name: "length of words", data: []string{"ab"}, fields: []string{"content-length", "two"}},
		{name: "a coding", data: []string{"0\r\n\r\n" + inner}, fields: []string{"transfer-encoding", "chunked"}}, {name: "a coding in a name", data: []string{"0\r\n\r\n" + inner}, fields: []string{"x\r\ntransfer-encoding", "chunked"}},
		{name: "a coding in a value", data: []string{"0\r\n\r\n" + inner}, fields: []string{"x", "y\r\nTransfer-Encoding: chunked"}}, {name: "a coding behind a line feed", data: []string{"0\r\n\r\n" + inner}, fields: []string{"x", "y\nTransfer-Encoding: chunked"}},
		{name: "a request in a value", fields: []string{"x", "y\r\n\r\n" + inner}}, {name: "trailers that say where", data: []string{"ab"}, tail: []string{"host", "evil.test", "content-length", "60", "x-chatiere-user", "root"}},
		{name: "trailers with a path", data: []string{"ab"}, tail: []string{":path", "/smuggled"}},
	}
	for _, f := range [][]string{
		{"connection", "close"}, {"connection", "x-forwarded-for"}, {"keep-alive", "1"}, {"upgrade", "h2c"}, {"te", "chunked"}, {"te", "trailers"}, {"proxy-connection", "close"}, {"host", "evil.test"}, {"X-Upper", "y"}, {"x_forwarded_for", "6.6.6.6"},
		{"x-forwarded-for", "6.6.6.6"}, {"forwarded", "for=6.6.6.6"}, {"x-chatiere-user", "root"}, {"x-real-ip", "6.6.6.6"}, {"x-request-id", "0"}, {"proxy", "evil.test"}, {"x-original-url", "/smuggled"}, {"trailer", "host"}, {"cookie", "a=b\r\nX-Chatiere-User: root"}, {"", "y"}, {"x y", "z"}, {"x:y", "z"},
		{":path", "/case\r\nX: y"}, {":path", "/case HTTP/1.1\r\nHost: evil.test\r\n\r\nGET /smuggled"}, {":path", "/case?x y"}, {":path", "/case#x"}, {":path", "https://evil.test/case"}, {":path", ""}, {":path", "case"}, {":path", "//evil.test/case"}, {":path", "/case\x00"}, {":path", "/case\\x"},
		{":method", "GET /smuggled HTTP/1.1\r\nX: y"}, {":method", "PRI"}, {":method", "CONNECT"}, {":method", "G E T"}, {":scheme", "http"}, {":scheme", "https://evil.test/smuggled?"}, {":authority", "evil.test"}, {":authority", siteHost + "\r\nX: y"}, {":authority", siteHost + "@evil.test"}, {":authority", siteHost + ":1"}, {":authority", siteHost + "/x"}, {":authority", ""}, {":protocol", "websocket"}, {":status", "200"},
	} {
		all = append(all, stream{name: f[0] + " " + f[1], fields: f})
	}
	return all
}

// throwStream sends one stream on a connection of its own and waits for its end.
func (p *proxy) throwStream(t *testing.T, s stream) {
	t.Helper()
	c := p.dial(t, "h2")
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, http2.ClientPreface)
	framer := http2.NewFramer(c, c)
	framer.AllowIllegalWrites = true
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(s.head()...), EndStream: len(s.data)+len(s.tail) == 0, EndHeaders: true})
	for i, d := range s.data {
		_ = framer.WriteData(1, i+1 == len(s.data) && s.tail == nil, []byte(d))
	}
	if s.tail != nil {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(s.tail...), EndStream: true, EndHeaders: true})
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			if err, ok := err.(interface{ Timeout() bool }); ok && err.Timeout() {
				t.Errorf("%s: neither answered nor reset", shortOf(s.name))
			}
			return
		}
		switch f := frame.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				return
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				return
			}
		}
	}
}

// head is the stream's fields behind the pseudo-header, which they may replace.
func (s stream) head() []string {
	method := "GET"
	if len(s.data) > 0 {
		method = "POST"
	}
	base := [][2]string{{":method", method}, {":scheme", "https"}, {":authority", siteHost}, {":path", "/case-h2"}}
	var out, rest []string
	for i := 0; i < len(s.fields); i += 2 {
		replaced := false
		for j := range base {
			if base[j][0] == s.fields[i] {
				base[j][1], replaced = s.fields[i+1], true
			}
		}
		if !replaced {
			rest = append(rest, s.fields[i], s.fields[i+1])
		}
	}
	for _, b := range base {
		out = append(out, b[0], b[1])
	}
	if len(rest) > 0 && strings.HasPrefix(rest[0], ":") {
		return append(rest, out...)
	}
	return append(out, rest...)
}

func block(fields ...string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}
