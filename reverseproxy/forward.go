package reverseproxy

import (
	"errors"
	"net/http"

	"chatiere/reverseproxy/edge"
	"chatiere/reverseproxy/pages"
	"chatiere/reverseproxy/upstream"
)

// statusClientGone is nginx's number for a client that left before it was answered; it is logged and
// counted, and nobody ever receives it.
const statusClientGone = 499

// forward sends the request to its upstream, and answers with an error page if that fails.
func forward(t *upstream.Transport, p *pages.Pages) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := stateOf(w)
		to := upstream.Target{
			Socket: x.entry.Socket, Client: edge.Client(r), Places: x.entry.Places, MaxBody: x.entry.MaxBody,
		}
		if x.entry.SharedDomain != "" {
			to.Filter = x.confine
		}
		x.forwarding = true
		err := t.Forward(w, r, to)
		if err == nil {
			return
		}
		x.forwarding, x.cause = false, err
		if kind, status, ok := errorPage(err); ok {
			p.ServeStatus(w, r, kind, status, x.entry.Lang)
			return
		}
		if errors.Is(err, upstream.ErrClient) {
			x.status = statusClientGone
		}
		abortResponse()
	})
}

// errorPage returns the page for a failed Forward; not ok if the client has gone or part of a response was sent.
func errorPage(err error) (kind pages.Kind, status int, ok bool) {
	var own *upstream.WebServerError
	switch {
	case errors.Is(err, upstream.ErrAborted), errors.Is(err, upstream.ErrClient):
		return 0, 0, false
	case errors.As(err, &own):
		return errorPages[own.Page], own.Status, true
	case errors.Is(err, upstream.ErrTooLarge):
		return pages.TooLarge, http.StatusRequestEntityTooLarge, true
	case errors.Is(err, upstream.ErrSlow):
		return pages.Slow, http.StatusRequestTimeout, true
	case errors.Is(err, upstream.ErrBusy):
		return pages.Full, http.StatusServiceUnavailable, true
	case errors.Is(err, upstream.ErrTimeout):
		return pages.Down, http.StatusGatewayTimeout, true
	case errors.Is(err, upstream.ErrBadAnswer):
		return pages.Down, http.StatusBadGateway, true
	}
	return pages.Down, http.StatusServiceUnavailable, true
}

// abortResponse closes the client's connection (HTTP/1.1) or resets the stream (HTTP/2), so that the client knows that
// the response is incomplete. This panic is the only way to do so with net/http.
func abortResponse() { panic(http.ErrAbortHandler) }
