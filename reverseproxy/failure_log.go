package reverseproxy

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"chatiere/reverseproxy/upstream"
)

// failureLogInterval is the minimum time between two logged failures of a site: a popular site that is down must not
// fill the disk.
const failureLogInterval = 10 * time.Second

// failureLog logs why upstreams did not answer, and panics of the proxy.
type failureLog struct {
	log        *slog.Logger
	clock      func() time.Time
	mu         sync.Mutex
	lastLogged map[string]time.Time // by site
}

// middleware is a middleware.
func (f *failureLog) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := stateOf(w)
		defer func() {
			if x.cause != nil && !errors.Is(x.cause, upstream.ErrClient) && f.due(x.site()) {
				f.log.Warn("upstream failed", "request", x.id, "site", x.site(), "error", x.cause)
			}
			fault := recover()
			if fault == nil {
				return
			}
			if err, ok := fault.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				f.log.Error("panic in handler", "request", x.id, "site", x.site(), "panic", fault, "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler) // it is logged; the client must notice all the same
		}()
		next.ServeHTTP(w, r)
	})
}

func (f *failureLog) due(site string) bool {
	now := f.clock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.lastLogged[site]) < failureLogInterval {
		return false
	}
	f.lastLogged[site] = now
	return true
}
