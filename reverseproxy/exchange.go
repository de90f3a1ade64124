package reverseproxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"chatiere/reverseproxy/routes"
)

// exchange is what the middleware know about one request, and the ResponseWriter that counts it.
type exchange struct {
	http.ResponseWriter
	id    string
	entry *routes.Entry // nil as long as no route was found
	cause error         // why the upstream's answer did not come, for the log

	hsts     bool
	request  *http.Request
	body     *countedBody // nil without one
	relaying bool         // the answer, if any, is the upstream's
	unread   bool         // it has been answered before its body was read

	status int
	out    int64
	in     atomic.Int64 // written by whoever reads the body
}

// exchangeOf returns the exchange that begin made the ResponseWriter of all that lies within.
func exchangeOf(w http.ResponseWriter) *exchange {
	x, _ := w.(*exchange)
	return x
}

// begin starts the exchange of each request; every other middleware lies within.
func begin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, request: r}
		if r.Body != nil && r.Body != http.NoBody {
			// A copy, since net/http goes on looking at the body it made itself.
			counted := *r
			x.body = &countedBody{ReadCloser: r.Body, n: &x.in, length: r.ContentLength}
			counted.Body = x.body
			r = &counted
		}
		next.ServeHTTP(x, r)
		if x.unread {
			x.discard()
		}
	})
}

// unreadTime is how long a client of HTTP/1.1 may go on sending a body that our answer did not wait for. Closing at
// once would have its kernel throw away the answer; waiting for the end, as net/http does, may be for ever.
const unreadTime = 2 * time.Second

// leaveUnread prepares the connection for an answer of our own while more of the body may come.
func (x *exchange) leaveUnread() {
	if x.relaying || x.body == nil || x.request.ProtoMajor != 1 || x.body.ended() {
		return
	}
	x.unread = true
	x.Header().Set("Connection", "close")
	control := http.NewResponseController(x.ResponseWriter)
	// Where that is not supported, nothing is read anyway.
	_ = control.EnableFullDuplex()
	_ = control.SetReadDeadline(time.Now().Add(unreadTime))
}

// discard gives the client its answer, and then takes away what it still sends.
func (x *exchange) discard() {
	if err := http.NewResponseController(x.ResponseWriter).Flush(); err != nil {
		return // it has gone
	}
	if x.in.Load() == 0 && strings.EqualFold(x.request.Header.Get("Expect"), "100-continue") {
		return // it has not begun to, and reading would ask it to
	}
	_, _ = io.Copy(io.Discard, x.body) // ends by its end or the deadline
}

// WriteHeader puts the proxy's own fields into the final header.
func (x *exchange) WriteHeader(status int) {
	if status >= 200 && x.status == 0 {
		x.status = status
		x.leaveUnread()
		x.finishHeader()
	}
	x.ResponseWriter.WriteHeader(status)
}

// finishHeader takes out what tells an attacker which versions to look up.
func (x *exchange) finishHeader() {
	header := x.Header()
	delete(header, "Server")
	delete(header, "X-Powered-By")
	header["X-Request-Id"] = []string{x.id}
	if _, set := header["Strict-Transport-Security"]; x.hsts && !set {
		header["Strict-Transport-Security"] = hstsValue
	}
}

// Half a year, and for this host alone: what lies below a site's name is not ours to decide.
var hstsValue = []string{"max-age=15552000"}

// Write counts what is sent.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	n, err := x.ResponseWriter.Write(p)
	x.out += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Hijack hands the connection over, which goes on being counted.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	x.status = http.StatusSwitchingProtocols
	x.finishHeader()
	counted := &countedConn{Conn: conn, x: x}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, nil, err
	}
	x.in.Add(int64(len(early)))
	rw.Reader = bufio.NewReader(io.MultiReader(bytes.NewReader(early), counted))
	return counted, rw, nil
}

type countedBody struct {
	io.ReadCloser
	n      *atomic.Int64
	length int64 // announced, -1 if none was
	eof    atomic.Bool
}

// Read counts what has come.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	if err != nil && errors.Is(err, io.EOF) {
		b.eof.Store(true)
	}
	return n, err
}

// ended reports whether all has been read.
func (b *countedBody) ended() bool { return b.eof.Load() || b.n.Load() == b.length }

// countedConn is a client's connection that was taken over by a websocket.
type countedConn struct {
	net.Conn
	x *exchange
}

// Read counts what has come.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.x.in.Add(int64(n))
	return n, err
}

// Write counts what is sent; only one goroutine of a tunnel writes to the client.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.x.out += int64(n)
	return n, err
}

// CloseWrite ends one direction.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
