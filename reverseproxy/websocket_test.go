package reverseproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

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
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "x" || resp.Header.Get("Upgrade") != "WebSocket" {
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
