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

// forward hands the request to its upstream, and answers with a page where none came of it.
func forward(t *upstream.Transport, p *pages.Pages) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
		to := upstream.Target{
			Socket: x.entry.Socket, Client: edge.Client(r), Places: x.entry.Places, MaxBody: x.entry.MaxBody,
		}
		if x.entry.SharedDomain != "" {
			to.Filter = x.confine
		}
		x.relaying = true
		err := t.Forward(w, r, to)
		if err == nil {
			return
		}
		x.relaying, x.cause = false, err
		if kind, status, ok := answerTo(err); ok {
			p.ServeStatus(w, r, kind, status, x.entry.Lang)
			return
		}
		if errors.Is(err, upstream.ErrClient) {
			x.status = statusClientGone
		}
		abort()
	})
}

// answerTo is what is said where no answer came of forwarding; not ok if nobody is there to be told, or part of an
// answer has been sent.
func answerTo(err error) (kind pages.Kind, status int, ok bool) {
	var own *upstream.WebServerError
	switch {
	case errors.Is(err, upstream.ErrAborted), errors.Is(err, upstream.ErrClient):
		return 0, 0, false
	case errors.As(err, &own):
		return ownPages[own.Page], own.Status, true
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

// abort cuts the client's connection (HTTP/1.1) or stream (HTTP/2), so that it knows that what it has
// is not the whole. net/http has no other way to say that than this panic.
func abort() { panic(http.ErrAbortHandler) }
