package wire

import (
	"chatiere/panel"
	"chatiere/tenants/worker"
)

// What tests reach directly, since everything above it needs a whole platform.
var (
	AllowedNames   = allowedNames
	PlatformRoutes = platformRoutes
	EdgeClient     = edgeClient
	LoadCatalogue  = loadCatalogue
	AllowLists     = allowLists
	ProxySockets   = proxySockets
	NewWorker      = newWorker
)

// PanelWorker is the panel's view of the worker at a socket.
func PanelWorker(socket string) interface {
	panel.Doctor
	Nudge()
} {
	return panelWorker{worker.NewClient(socket)}
}
