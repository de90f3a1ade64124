package edge

import (
	"context"
	"net"
	"net/http"
)

type connKey struct{}

// withConn stores the connection in the context of its requests.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// rawOf returns the connection of a request; nil for a request that did not come through a Server.
func rawOf(r *http.Request) *rawConn {
	switch c := r.Context().Value(connKey{}).(type) {
	case *secureConn:
		return c.raw
	case *rawConn:
		return c
	}
	return nil
}

// coalesce buffers a response's writes until it ends or the handler calls Flush. net/http sends header, body and end
// separately.
func coalesce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if raw := rawOf(r); raw != nil {
			w = &coalescingWriter{ResponseWriter: w, raw: raw}
		}
		next.ServeHTTP(w, r)
	})
}

// coalescingWriter marks a response as in progress on its connection from its first Write until its end, or until Flush.
type coalescingWriter struct {
	http.ResponseWriter
	raw  *rawConn
	open bool
}

// Write buffers p until more follows or the response ends.
func (w *coalescingWriter) Write(p []byte) (int, error) {
	if !w.open {
		w.open = true
		w.raw.beginResponse()
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends everything written so far.
func (w *coalescingWriter) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if w.open {
		w.open = false
		if flushErr := w.raw.endResponse(); err == nil {
			err = flushErr
		}
	}
	return err
}

// Flush serves http.Flusher.
func (w *coalescingWriter) Flush() { _ = w.FlushError() } // the next Write fails as well

// Unwrap serves http.ResponseController.
func (w *coalescingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
