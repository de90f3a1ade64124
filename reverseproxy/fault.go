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

// faultPause is how long the same site's failures stay unsaid after one was logged: a popular site
// that is down must not fill the disk.
const faultPause = 10 * time.Second

// faults logs why upstreams did not answer, and faults of the proxy itself.
type faults struct {
	log   *slog.Logger
	clock func() time.Time
	mu    sync.Mutex
	said  map[string]time.Time // by site
}

// report is a middleware.
func (f *faults) report(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
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

func (f *faults) due(site string) bool {
	now := f.clock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.said[site]) < faultPause {
		return false
	}
	f.said[site] = now
	return true
}
