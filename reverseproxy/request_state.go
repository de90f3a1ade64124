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

// requestState is what the middlewares share about one request. It is also the ResponseWriter that counts bytes.
type requestState struct {
	http.ResponseWriter
	id    string
	entry *routes.Entry // nil as long as no route was found
	cause error         // why the upstream's answer did not come, for the log

	hsts        bool
	request     *http.Request
	body        *countedBody // nil without one
	forwarding  bool         // the answer, if any, is the upstream's
	discardBody bool         // it has been answered before its body was read

	status int
	out    int64
	in     atomic.Int64 // written by whoever reads the body
}

// stateOf returns the state of a request from the ResponseWriter that withState passes to the inner handlers.
func stateOf(w http.ResponseWriter) *requestState {
	x, _ := w.(*requestState)
	return x
}

// withState creates the state of each request; it is the outermost middleware.
func withState(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &requestState{ResponseWriter: w, request: r}
		if r.Body != nil && r.Body != http.NoBody {
			// A copy, since net/http goes on looking at the body it made itself.
			counted := *r
			x.body = &countedBody{ReadCloser: r.Body, n: &x.in, length: r.ContentLength}
			counted.Body = x.body
			r = &counted
		}
		next.ServeHTTP(x, r)
		if x.discardBody {
			x.discard()
		}
	})
}

// discardTimeout is how long an HTTP/1.1 client may continue to send a body after it was answered. Closing at once would
// make its kernel drop the answer; net/http would wait for the end without a limit.
const discardTimeout = 2 * time.Second

// prepareDiscard prepares the connection for an answer of the proxy while more of the body may come.
func (x *requestState) prepareDiscard() {
	if x.forwarding || x.body == nil || x.request.ProtoMajor != 1 || x.body.complete() {
		return
	}
	x.discardBody = true
	x.Header().Set("Connection", "close")
	control := http.NewResponseController(x.ResponseWriter)
	// Where that is not supported, nothing is read anyway.
	_ = control.EnableFullDuplex()
	_ = control.SetReadDeadline(time.Now().Add(discardTimeout))
}

// discard flushes the answer, then reads and drops the rest of the body.
func (x *requestState) discard() {
	if err := http.NewResponseController(x.ResponseWriter).Flush(); err != nil {
		return // it has gone
	}
	if x.in.Load() == 0 && strings.EqualFold(x.request.Header.Get("Expect"), "100-continue") {
		return // it has not begun to, and reading would ask it to
	}
	_, _ = io.Copy(io.Discard, x.body) // ends by its end or the deadline
}

// WriteHeader puts the proxy's own fields into the final header.
func (x *requestState) WriteHeader(status int) {
	if status >= 200 && x.status == 0 {
		x.status = status
		x.prepareDiscard()
		x.finishHeader()
	}
	x.ResponseWriter.WriteHeader(status)
}

// finishHeader removes the names and versions of server software.
func (x *requestState) finishHeader() {
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
func (x *requestState) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	n, err := x.ResponseWriter.Write(p)
	x.out += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (x *requestState) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Hijack returns the connection, whose bytes are still counted.
func (x *requestState) Hijack() (net.Conn, *bufio.ReadWriter, error) {
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

// complete reports whether all has been read.
func (b *countedBody) complete() bool { return b.eof.Load() || b.n.Load() == b.length }

// countedConn is a client's connection that was taken over by a websocket.
type countedConn struct {
	net.Conn
	x *requestState
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
