package worker

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"chatiere/tenants/operations"
)

// What tests reach directly, since everything above it needs a whole platform.
var (
	WatchEngine     = watchEngine
	CheckListening  = checkListening
	ErrEngineSilent = errEngineSilent
)

// TakeLock takes the worker's lock of a data root.
func (r DataRoot) TakeLock(ctx context.Context, log *slog.Logger) (unlock func(), err error) {
	return r.lock(ctx, log)
}

// RemoveUnfinished removes what a killed worker left on a data root.
func (r DataRoot) RemoveUnfinished() error { return r.removeUnfinished() }

// ReserveUIDs raises the user ids above those in use.
func (w *Worker) ReserveUIDs(ctx context.Context) error { return w.reserveUIDs(ctx) }

// FencedStore is the runner's store, which advances the mark at each claim.
func FencedStore(s operations.Store, guard interface {
	Advance(ctx context.Context) error
}, end context.CancelCauseFunc) operations.Store {
	return fencedStore{s, guard, end, nil}
}

// Calls lists what the worker answers on its sockets, by the user who may call.
func (w *Worker) Calls(requests []*http.Request) map[uint32][]string {
	out := map[uint32][]string{}
	for _, s := range w.sockets() {
		for _, r := range requests {
			if _, pattern := s.calls.Handler(r); pattern != "" {
				out[s.uid] = append(out[s.uid], pattern)
			}
		}
	}
	return out
}

// ListenFor opens a socket that one user may call.
func ListenFor(path string, uid uint32, log *slog.Logger) (net.Listener, error) {
	return socket{path: path, uid: uid}.listen(log)
}
