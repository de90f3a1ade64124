package egress_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"chatiere/reverseproxy/egress"
)

func TestRequestsAreReadStrictly(t *testing.T) {
	for _, c := range []struct {
		head, name string
		port       uint16
		want       error
	}{
		{"CONNECT a.example:443 HTTP/1.1\r\n\r\n", "a.example", 443, nil},
		{"CONNECT A.Example.:443 HTTP/1.1\r\nHost: a.example.:443\r\n\r\n", "a.example", 443, nil},
		{"CONNECT xn--caf-dma.fr:80 HTTP/1.1\r\nUser-Agent: x\r\n\r\n", "xn--caf-dma.fr", 80, nil},
		{"HEAD /A.example HTTP/1.1\r\nHost: gateway\r\n\r\n", "a.example", 0, nil},
		{"HEAD /a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "", 0, egress.ErrRequest},
		{"HEAD a.example HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"HEAD / HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"HEAD /10.0.0.1 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"HEAD /a.example/../b HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "", 0, egress.ErrMethod},
		{"connect a.example:443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrMethod},
		{"CONNECT 10.0.0.1:443 HTTP/1.1\r\n\r\n", "10.0.0.1", 443, egress.ErrBareAddress},
		{"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", "::1", 443, egress.ErrBareAddress},
		{"CONNECT [fe80::1%eth0]:443 HTTP/1.1\r\n\r\n", "fe80::1", 443, egress.ErrBareAddress},
		{"CONNECT ::1:443 HTTP/1.1\r\n\r\n", "::1", 443, egress.ErrBareAddress},
		{"CONNECT 2130706433:80 HTTP/1.1\r\n\r\n", "", 80, egress.ErrBareAddress},
		{"CONNECT 0x7f.1:80 HTTP/1.1\r\n\r\n", "", 80, egress.ErrBareAddress},
		{"CONNECT 127.1:80 HTTP/1.1\r\n\r\n", "", 80, egress.ErrBareAddress},
		{"CONNECT 127.0.0.1.:80 HTTP/1.1\r\n\r\n", "", 80, egress.ErrBareAddress},
		{"CONNECT localhost:80 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example: HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:0 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:0443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:+443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:65536 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:https HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT café.example:443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a@b.example:443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT http://a.example:443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example\x00.b.example:443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT  a.example:443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.0\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\n\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nX: 1\nY: 2\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nX: 1\r\n folded\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nHost : a.example:443\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\n" + strings.Repeat("X: 1\r\n", 17) + "\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n", "", 0, egress.ErrRequest},
		{"CONNECT a.example:443 HTTP/1.1\r\nHost:", "", 0, egress.ErrRequest},
		{"\r\nCONNECT a.example:443 HTTP/1.1\r\n\r\n", "", 0, egress.ErrRequest},
		{"", "", 0, egress.ErrRequest},
		{"\x16\x03\x01\x02\x00\x01\x00", "", 0, egress.ErrRequest},
	} {
		name, port, _, err := egress.ReadRequest(strings.NewReader(c.head))
		if name != c.name || port != c.port || !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%.60q: %q %d %v; want %q %d %v", c.head, name, port, err, c.name, c.port, c.want)
		}
	}
}

func TestNothingBehindTheRequestIsLost(t *testing.T) {
	const early = "\x16\x03\x01 early bytes\r\n\r\n"
	_, _, rest, err := egress.ReadRequest(strings.NewReader("CONNECT a.example:443 HTTP/1.1\r\n\r\n" + early))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rest); err != nil || string(got) != early {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nrest"))
	f.Add([]byte("HEAD /a.example HTTP/1.1\r\nHost: gateway\r\n\r\n"))
	f.Add([]byte("CONNECT [::1]:443 HTTP/1.1\r\n\r\n"))
	f.Add([]byte("CONNECT 0x7f.1:80 HTTP/1.1\r\n\r\n"))
	f.Add([]byte("\r\n\r\n"))
	f.Add([]byte("CONNECT api.wordpress.or\u212a:443 HTTP/1.1\r\n\r\n"))
	f.Add([]byte("CONNECT A.Example.:443 HTTP/1.1\r\nhost: a.example.:443\r\nX: y\r\n\r\n"))
	f.Add([]byte("CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 4\r\n\r\nrest"))
	f.Add([]byte("CONNECT a.example:443 HTTP/1.1\r\nX:y\r\n z\r\n\r\n"))
	f.Add([]byte("CONNECT a.example:0443 HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		name, port, _, err := egress.ReadRequest(bytes.NewReader(text))
		if err != nil {
			return
		}
		if asking := bytes.HasPrefix(text, []byte("HEAD /")); asking != (port == 0) {
			t.Errorf("port %d accepted", port)
		}
		l := list(egress.AllowedName{Name: name, Ports: []int{443}})
		if fault := l.Validate(); fault != nil {
			t.Errorf("name %q accepted, which no list can have: %v", name, fault)
		}
		if strings.ContainsAny(name, " \r\n\"\\") {
			t.Errorf("name %q would garble a log", name)
		}
		if port == 0 {
			return
		}
		// A second reading: whatever we take for a tunnel, net/http takes for the same one, without a body.
		second, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			t.Fatalf("accepted %q, which net/http refuses: %v", text, err)
		}
		host, digits, _ := strings.Cut(second.RequestURI, ":")
		if second.Method != "CONNECT" || second.ContentLength != 0 || len(second.TransferEncoding) != 0 || digits != strconv.Itoa(int(port)) ||
			!strings.EqualFold(strings.TrimSuffix(host, "."), name) {
			t.Errorf("read %s:%d, net/http reads %s %s", name, port, second.Method, second.RequestURI)
		}
	})
}
