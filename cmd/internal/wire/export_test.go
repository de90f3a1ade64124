package wire

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/tenants/keycloak"
	"chatiere/tenants/operations"
)

// What tests reach directly, since everything above it needs a whole platform.
var (
	AllowedNames    = allowedNames
	PlatformRoutes  = platformRoutes
	EdgeClient      = edgeClient
	TrafficRows     = trafficRows
	NewWorkerClient = newWorkerClient
	LoadCatalogue   = loadCatalogue
	AllowLists      = allowLists
	Silence         = watchEngine
	Listens         = checkListening
	ErrEngineSilent = errEngineSilent
)

// Accounts makes the demo's people.
func Accounts(c *keycloak.Client) demo.Directory { return keycloakAccounts{c} }

// Alone takes the worker's lock of a data root.
func Alone(ctx context.Context, c config.Config, log *slog.Logger) (unlock func(), err error) {
	return (&Worker{config: c, log: log}).lockDataRoot(ctx)
}

// Sweep removes what a killed worker left on a data root.
func Sweep(c config.Config) error { return (&Worker{config: c}).removeUnfinished() }

// Guarded is the runner's store with a mark moved at each claim.
func Guarded(s operations.Store, guard interface {
	Advance(ctx context.Context) error
}, end context.CancelCauseFunc) operations.Store {
	return fencedStore{s, guard, end, nil}
}

// Revival is revival.
var Revival = restartCommand

// Doors is doors.
var Doors = proxySockets

// Calls lists what the worker answers on its sockets, by the user who may call.
func Calls(c config.Config, asks []*http.Request) map[uint32][]string {
	out := map[uint32][]string{}
	for _, control := range (&Worker{config: c, auditKeeper: &auditKeeper{}}).controlSockets() {
		for _, r := range asks {
			if _, pattern := control.calls.Handler(r); pattern != "" {
				out[control.uid] = append(out[control.uid], pattern)
			}
		}
	}
	return out
}

// ListenFor opens a socket that one user may call.
func ListenFor(path string, uid uint32, log *slog.Logger) (net.Listener, error) {
	return controlSocket{path: path, uid: uid}.listen(log)
}
