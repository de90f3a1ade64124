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

// rawOf finds the connection of a request, nil in tests of handlers alone.
func rawOf(r *http.Request) *rawConn {
	switch c := r.Context().Value(connKey{}).(type) {
	case *secureConn:
		return c.raw
	case *rawConn:
		return c
	}
	return nil
}

// wholes has the parts of each response leave together, until the handler says Flush: net/http promises no
// more, but sends header, body and end one by one.
func wholes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if raw := rawOf(r); raw != nil {
			w = &response{ResponseWriter: w, raw: raw}
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
