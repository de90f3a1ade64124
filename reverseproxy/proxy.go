// Package reverseproxy is the edge of a co-op's server: it ends TLS, finds the route of each request by
// its Host, and hands it to an application behind a unix socket, or answers with a page of its own.
//
// It knows nothing of what the applications are or who owns them: it reads a route table, certificates
// and nothing else, and writes traffic counts. It goes on with what it last read whatever happens to
// those who write. Start reading at Run; handlers below shows the way of a request, one middleware a
// file; routes, edge and upstream are the parts it is made of.
package reverseproxy

import (
	"log/slog"
	"net/http"
	"time"

	"chatiere/reverseproxy/access"
	"chatiere/reverseproxy/pages"
	"chatiere/reverseproxy/traffic"
	"chatiere/reverseproxy/upstream"
)

// parts are what the handlers are built from.
type parts struct {
	table     indexer
	pages     *pages.Pages
	transport *upstream.Transport
	counter   *traffic.Counter
	access    *access.Log
	attempts  *attempts
	log       *slog.Logger
	clock     func() time.Time
}

// handlers returns the handler of requests that came over TLS and that of those that did not. Read
// from the bottom: the last middleware added is the first to see a request.
func (p parts) handlers() (secure, plain http.Handler) {
	f := &faults{log: p.log, clock: p.clock, said: make(map[string]time.Time)}
	outer := func(h http.Handler) http.Handler {
		h = route(p.table, p.pages, h)
		h = hold(p.pages, p.attempts, h)
		h = hygiene(p.pages, h)
		h = f.report(h)
		h = accessLog(p.access, p.clock, h)
		h = count(p.counter, h)
		h = identify(h)
		return begin(h)
	}
	h := forward(p.transport, p.pages)
	h = forwarded(h)
	h = limitHeader(p.pages, h)
	h = ownCookies(p.pages, h)
	h = refuse(p.pages, h)
	h = stateful(p.pages, h)
	h = limitAddress(p.pages, h)
	return outer(h), outer(limitAddress(p.pages, redirect(p.pages)))
}
