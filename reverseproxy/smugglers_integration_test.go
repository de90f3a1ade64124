//go:build integration

package reverseproxy_test

import (
	"fmt"
	"strings"
)

// smuggled is the path of a request that only stands inside another one. No application may ever be asked for it.
const smuggled = "/smuggled"

// smuggler is what one client writes on one connection.
type smuggler struct {
	name string
	text string
}

// hidden is a whole request for whoever ends the one before it too early.
func hidden(n int) string {
	return fmt.Sprintf("GET %s-%d HTTP/1.1\r\nHost: %s\r\nX-Smuggled: 1\r\n\r\n", smuggled, n, siteHost)
}

// smugglers is everything that HTTP/1.1 clients are known to try on two programs in a row, each with a request hidden in it.
func smugglers() []smuggler {
	var all []smuggler
	add := func(name, request string) { all = append(all, smuggler{name, request}) }
	post := func(n int, fields, body string) string {
		return fmt.Sprintf("POST /case-%d HTTP/1.1\r\nHost: %s\r\n%s\r\n%s", n, siteHost, fields, body)
	}
	get := func(n int, fields string) string {
		return fmt.Sprintf("GET /case-%d HTTP/1.1\r\nHost: %s\r\n%s\r\n", n, siteHost, fields)
	}
	for _, coding := range codings {
		n := len(all)
		inner := hidden(n)
		add("coding "+coding+" ends before the length", post(n, fmt.Sprintf("Content-Length: %d\r\n%s\r\n", 5+len(inner), coding), "0\r\n\r\n"+inner))
		add("coding "+coding+" goes on after the length", post(n+1, "Content-Length: 4\r\n"+coding+"\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)))
		add("coding "+coding+" alone", post(n+2, coding+"\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)))
	}
	for _, length := range lengths {
		n := len(all)
		add("length "+length, post(n, length+"\r\n", "ab"+hidden(n)))
		add("length of a page "+length, get(n+1, length+"\r\n")+hidden(n+1))
	}
	for _, body := range chunkedBodies(len(all)) {
		n := len(all)
		add("body "+body, post(n, "Transfer-Encoding: chunked\r\n", body+hidden(n)))
	}
	for _, field := range headerTricks {
		n := len(all)
		add("field "+field, get(n, field+"\r\n")+hidden(n)[:20])
		add("field with a body "+field, post(n+1, field+"\r\nContent-Length: 2\r\n", "ab"))
	}
	for _, target := range targets {
		n := len(all)
		add("target "+target, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nX-Case: %d\r\n\r\n", target, siteHost, n))
	}
	for _, host := range hostTricks {
		add("host "+host, fmt.Sprintf("GET /case-%d HTTP/1.1\r\n%s\r\n\r\n", len(all), host))
	}
	for _, line := range requestLines {
		add("line "+line, strings.ReplaceAll(line, "N", fmt.Sprint(len(all)))+"\r\nHost: "+siteHost+"\r\n\r\n")
	}
	add("bare line feeds", fmt.Sprintf("GET /case-%d HTTP/1.1\nHost: %s\n\n%s", len(all), siteHost, ""))
	add("a body before the host", "POST /case HTTP/1.1\r\nContent-Length: 60\r\n\r\n"+hidden(len(all)))
	add("an old version that keeps alive", "GET /case HTTP/1.0\r\nHost: "+siteHost+"\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+hidden(len(all)))
	add("an upgrade to HTTP/2", get(len(all), "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n")+"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	add("an upgrade with a body", post(len(all), "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n", "abcd")+hidden(len(all)))
	add("a websocket that is refused", get(len(all), "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")+hidden(len(all)))
	add("an expectation", post(len(all), "Expect: 100-continue\r\nContent-Length: 5\r\n", "")+hidden(len(all)))
	add("another expectation", post(len(all), "Expect: 100-continue, x\r\nContent-Length: 2\r\n", "ab")+hidden(len(all)))
	return all
}

var codings = []string{
	"Transfer-Encoding: chunked", "transfer-encoding: chunked", "Transfer-Encoding: Chunked", "Transfer-Encoding: xchunked",
	"Transfer-Encoding : chunked", "Transfer-Encoding:chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding: \x0bchunked",
	"Transfer-Encoding: chunked\t", "Transfer-Encoding: chunked ", "Transfer-Encoding: \x00chunked", "Transfer-Encoding: chunked;q=1",
	"Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: gzip, chunked",
	"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "Transfer-Encoding: cow",
	"Transfer-Encoding:\r\n chunked", "Transfer-Encoding\r\n: chunked", "X: y\r\n Transfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked",
	"X: y\rTransfer-Encoding: chunked", " Transfer-Encoding: chunked", "Transfer_Encoding: chunked", "Transfer-Encoding: \"chunked\"",
	"Transfer-Encoding: 'chunked'", "Transfer-Encoding: chun\xffked", "TRANSFER-ENCODING: CHUNKED", "Transfer-Encoding: ,chunked", "Transfer-Encoding:",
	"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", "Content-Encoding: chunked",
}

var lengths = []string{
	"Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2\r\nContent-Length: 0", "Content-Length: 0\r\nContent-Length: 2", "Content-Length: +2", "Content-Length: -2",
	"Content-Length: 2, 2", "Content-Length: 2,0", "Content-Length: 02", "Content-Length: 0x2", "Content-Length: 2.0", "Content-Length: 2e0",
	"Content-Length: 2 ", "Content-Length:  2", "Content-Length:\t2", "Content-Length : 2", "Content-Length:\x0b2", "Content-Length: 2\x00", "Content-Length: \x002",
	"Content-Length: ２", "Content-Length: ", "Content-Length: two", "Content-Length: 18446744073709551618", "Content-Length: 9223372036854775808",
	"Content-Length\x00: 2", "Content_Length: 2", "Content-Length: 2\nX: y", " Content-Length: 2", "Content-Length:\r\n 2", "Connection: Content-Length\r\nContent-Length: 2",
	"Connection: close, Content-Length\r\nContent-Length: 2", "X: y\rContent-Length: 2",
}

func chunkedBodies(n int) []string {
	inner := hidden(n)
	size := fmt.Sprintf("%x", len(inner))
	return []string{
		size + ";ext=1\r\n" + inner + "\r\n0\r\n\r\n", size + ";ext=\"\r\n" + inner + "\r\n0\r\n\r\n", size + ";\n" + inner + "\r\n0\r\n\r\n",
		size + "\n" + inner + "\n0\n\n", size + " \r\n" + inner + "\r\n0\r\n\r\n", " " + size + "\r\n" + inner + "\r\n0\r\n\r\n", "0x" + size + "\r\n" + inner + "\r\n0\r\n\r\n",
		"+" + size + "\r\n" + inner + "\r\n0\r\n\r\n", "-1\r\n" + inner + "\r\n0\r\n\r\n", "ffffffffffffffff\r\n" + inner, "10000000000000002\r\nab\r\n0\r\n\r\n", "7fffffffffffffff\r\n" + inner,
		"00000000000000000002\r\nab\r\n0\r\n\r\n", "2\r\nab0\r\n\r\n", "2\r\nabXX0\r\n\r\n", "2\rXab\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "g\r\n\r\n", "2_0\r\nab\r\n0\r\n\r\n", "2;" + strings.Repeat("x", 1<<14) + "\r\nab\r\n0\r\n\r\n",
		"0\r\nContent-Length: 60\r\n\r\n", "0\r\nHost: evil.test\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nX-Chatiere-User: root\r\n\r\n", "0\r\nX: y\nGET /smuggled HTTP/1.1\r\n\r\n",
		"0\r\n\r", "0\r\n\n", "0\n\r\n", "0;\r\n\r\n", "0\r\n" + strings.Repeat("X: y\r\n", 2000) + "\r\n", strings.Repeat("1\r\na\r\n", 4000) + "0\r\n\r\n",
	}
}

// headerTricks are what a client says to be believed to be another, from elsewhere, or already let in.
var headerTricks = []string{
	"X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "X-Forwarded_For: 6.6.6.6", "X-Forwarded-For : 6.6.6.6", "X-Forwarded-For\t: 6.6.6.6",
	"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.7", "X-Forwarded-Host: evil.test", "X-Forwarded-Proto: http", "X-Forwarded-Port: 1", "X_Forwarded_Proto: http", "Forwarded: for=6.6.6.6;host=evil.test",
	"X-Real-IP: 6.6.6.6", "X_Real_IP: 6.6.6.6", "x-real_ip: 6.6.6.6", "Client-IP: 6.6.6.6", "True-Client-IP: 6.6.6.6", "X-Chatiere-User: root", "X_Chatiere_User: root", "x-CHATIERE-user: root",
	"X-Request-Id: 0000", "X_Request_Id: 0000", "Connection: X-Forwarded-For", "Connection: X-Real-IP, X-Request-Id, Host", "Connection: close, X-Forwarded-Proto", "Connection: Cookie\r\nCookie: a=b",
	"Connection: keep-alive, X-Chatiere-User\r\nX-Chatiere-User: root", "Proxy: http://evil.test", "Proxy-Authorization: Basic eDp5", "TE: trailers, chunked", "Trailer: Host", "Upgrade: h2c", "Keep-Alive: timeout=1",
	"X-Original-URL: /smuggled", "X-Rewrite-URL: /smuggled", "X-HTTP-Method-Override: DELETE", "X-Accel-Redirect: /smuggled", "X-Sendfile: /etc/passwd", "Host : evil.test", " Host: evil.test", "Host\x00: evil.test", "X-Host: evil.test",
	"X: a\x00b", "X: a\rb", "X: a\r\n b", "X:\r\n\tb", "X\x00: y", "X y: z", ": y", "X", "X\u00e9: y", "X: \xff\xfe", "(x): y", "X@y: z", strings.Repeat("X: y\r\n", 400) + "X: y", "X: " + strings.Repeat("y", 200<<10),
}

var targets = []string{
	"http://" + siteHost + "/case", "https://" + siteHost + ":8443/case", "http://evil.test/case", "https://evil.test:8443/case", "HTTP://" + siteHost + "/case", "ftp://" + siteHost + "/case", "//evil.test/case", "///case", "http:///case", "http:/case",
	"/case/..;/x", "/case/%2e%2e/x", "/case%2f..%2fx", "/case//x", "/case\\x", "/case%5cx", "/case/%00", "/case%0d%0aX:%20y", "/case%0aGET%20/smuggled", "/case?x=%0d%0a", "/case#x", "/case%23x", "/case?x#y", "/case;a=b", "/./case", "/../case",
	"/%63ase", "/case%", "/case%2", "/case%zz", "/case%c0%ae", "/case\x7f", "/case\xff", "/case\x00", "/case\tx", "/case\x0bx", "*", "case", "?x", "#x", "/case HTTP/1.1", "/case HTTP/1.1\r\nX: y\r\n\r\nGET /smuggled", siteHost + ":443", "@evil.test/case",
	"/case?" + strings.Repeat("x", 100<<10), "/" + strings.Repeat("../", 1000) + "case", "/case/" + strings.Repeat("%25", 10) + "2e",
}

var hostTricks = []string{
	"Host: evil.test", "Host: " + siteHost + "\r\nHost: evil.test", "Host: evil.test\r\nHost: " + siteHost, "Host: " + siteHost + "\r\nHost: " + siteHost, "Host:", "X: y", "Host: " + siteHost + ", evil.test", "Host: " + siteHost + " evil.test", "Host: " + siteHost + "/x",
	"Host: " + siteHost + "@evil.test", "Host: evil.test@" + siteHost, "Host: " + siteHost + ":443:80", "Host: " + siteHost + ":http", "Host: " + siteHost + ":99999", "Host: " + siteHost + "?x", "Host: " + siteHost + "#x", "Host: " + siteHost + "\\x", "Host: " + siteHost + "\x00",
	"Host: " + siteHost + ".", "Host: " + strings.ToUpper(siteHost), "Host:" + siteHost, "Host:\t" + siteHost, "Host:  " + siteHost + "  ", "Host: [::1]", "Host: 127.0.0.1", "Host: " + siteHost + "..", "Host: ." + siteHost, "Host: " + siteHost + ":8443", "host: " + siteHost + "\r\nHOST: evil.test",
	"Host: " + siteHost + "\r\n evil.test", "Host: dem\u043e.lilas.test", "Host: " + strings.Repeat("a", 300), "Host: " + siteHost + "%00", "Host: " + siteHost + "%2eevil.test",
}

var requestLines = []string{
	"GET /case-N HTTP/1.2", "GET /case-N HTTP/2.0", "GET /case-N HTTP/0.9", "GET /case-N", "GET  /case-N HTTP/1.1", "GET\t/case-N\tHTTP/1.1", "GET /case-N HTTP/1.1 ", " GET /case-N HTTP/1.1", "\r\n\r\nGET /case-N HTTP/1.1", "get /case-N HTTP/1.1", "G\x00T /case-N HTTP/1.1",
	"GET /case-N http/1.1", "GET /case-N HTTP/1.10", "GET /case-N HTTP/ 1.1", "GET\x0b/case-N HTTP/1.1", "GET /case-N HTTP/1.1\rX", "PRI * HTTP/2.0", "CONNECT " + siteHost + ":443 HTTP/1.1", "TRACE /case-N HTTP/1.1", "TRACK /case-N HTTP/1.1", strings.Repeat("A", 40) + " /case-N HTTP/1.1", "PROPFIND /case-N HTTP/1.1", "GET:/case-N HTTP/1.1",
}

// shortOf is a name for a test's output.
func shortOf(name string) string {
	name = fmt.Sprintf("%q", name)
	return name[:min(len(name), 90)]
}
