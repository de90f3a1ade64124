// Package reverseproxy is the edge of a co-op's server: it ends TLS, finds the route of each request by
// its Host, and hands it to an application behind a unix socket, or answers with a page of its own.
//
// It does not know what the applications are or who owns them: it reads only a route table and certificates, and writes
// traffic counts. It keeps serving with what it last read if their writers fail. Start reading at Run; handlers below
// shows the path of a request, one middleware a file; routes, edge and upstream are its parts.
package reverseproxy

import (
	"log/slog"
	"net/http"
	"time"

	"chatiere/reverseproxy/accesslog"
	"chatiere/reverseproxy/pages"
	"chatiere/reverseproxy/traffic"
	"chatiere/reverseproxy/upstream"
)

// components are the dependencies of the handlers.
type components struct {
	table     indexer
	pages     *pages.Pages
	transport *upstream.Transport
	counter   *traffic.Counter
	access    *accesslog.Log
	attempts  *attemptLog
	log       *slog.Logger
	clock     func() time.Time
}

// handlers returns the handlers for requests with and without TLS. Read from the bottom: the last middleware added is
// the first to see a request.
func (p components) handlers() (secure, plain http.Handler) {
	f := &failureLog{log: p.log, clock: p.clock, lastLogged: make(map[string]time.Time)}
	outer := func(h http.Handler) http.Handler {
		h = route(p.table, p.pages, h)
		h = checkCaller(p.pages, p.table, p.attempts, h)
		h = validate(p.pages, h)
		h = f.middleware(h)
		h = accessLog(p.access, p.clock, h)
		h = count(p.counter, h)
		h = requestID(h)
		return withState(h)
	}
	h := forward(p.transport, p.pages)
	h = forwarded(h)
	h = limitHeader(p.pages, h)
	h = ownCookies(p.pages, h)
	h = refuse(p.pages, h)
	h = statePages(p.pages, h)
	h = limitAddress(p.pages, h)
	return outer(h), outer(limitAddress(p.pages, redirect(p.pages)))
}
