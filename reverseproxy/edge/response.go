package edge

import (
	"context"
	"net"
	"net/http"
)

type connKey struct{}

// withConn lets the handlers' side find the connection of a request.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// wholes has the parts of each response leave together, until the handler says Flush: net/http promises no
// more, but sends header, body and end one by one.
func wholes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*secureConn); ok {
			w = &response{ResponseWriter: w, raw: c.raw}
		}
		next.ServeHTTP(w, r)
	})
}

// response holds its connection from its first Write until its end, or until Flush.
type response struct {
	http.ResponseWriter
	raw  *rawConn
	held bool
}

// Write lets what it writes wait for what follows.
func (w *response) Write(p []byte) (int, error) {
	if !w.held {
		w.held = true
		w.raw.hold()
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends all there is.
func (w *response) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if w.held {
		w.held = false
		if settled := w.raw.settle(); err == nil {
			err = settled
		}
	}
	return err
}

// Flush serves http.Flusher.
func (w *response) Flush() { _ = w.FlushError() } // the next Write fails as well

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// rested is told by net/http what becomes of a connection: HTTP/1.1 has no other sign that a response has
// been written to its end.
func rested(c net.Conn, state http.ConnState) {
	if conn, ok := c.(*secureConn); ok && conn.frames == nil && state != http.StateNew && state != http.StateActive {
		_ = conn.raw.settle() // the next write tells
	}
}
