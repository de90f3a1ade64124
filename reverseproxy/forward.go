package reverseproxy

import (
	"errors"
	"net/http"

	"chatiere/reverseproxy/pages"
	"chatiere/reverseproxy/upstream"
)

// statusClientGone is nginx's number for a client that left before it was answered; it is logged and
// counted, and nobody ever receives it.
const statusClientGone = 499

// forward hands the request to its upstream, and answers with a page where none came of it.
func forward(t *upstream.Transport, p *pages.Pages) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
		var filter func(http.Header)
		if x.entry.SharedDomain != "" {
			filter = x.confine
		}
		err := t.Forward(w, r, x.entry.Socket, filter)
		if err == nil {
			return
		}
		x.cause = err
		switch {
		case errors.Is(err, upstream.ErrAborted):
			abort()
		case errors.Is(err, upstream.ErrClient):
			x.status = statusClientGone
			abort()
		case errors.Is(err, upstream.ErrTimeout):
			p.ServeStatus(w, r, pages.Down, http.StatusGatewayTimeout, x.entry.Lang)
		case errors.Is(err, upstream.ErrBadAnswer):
			p.ServeStatus(w, r, pages.Down, http.StatusBadGateway, x.entry.Lang)
		default:
			p.Serve(w, r, pages.Down, x.entry.Lang)
		}
	})
}

// abort cuts the client's connection (HTTP/1.1) or stream (HTTP/2), so that it knows that what it has
// is not the whole. net/http has no other way to say that than this panic.
func abort() { panic(http.ErrAbortHandler) }
