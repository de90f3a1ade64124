package reverseproxy

import "chatiere/reverseproxy/routes"

// The table is a package of its own, so that its writer does not have to link the proxy. These aliases export it from
// here.
type (
	// Table is everything the proxy knows.
	Table = routes.Table
	// Route leads one host to one upstream.
	Route = routes.Route
	// State says what a visitor of a route meets.
	State = routes.State
)

// The states of a route.
const (
	StateServing  = routes.StateServing
	StateStarting = routes.StateStarting
	StateAsleep   = routes.StateAsleep
	StateDown     = routes.StateDown
	StateRefused  = routes.StateRefused
)

// EncodeTable validates a table and renders its file.
func EncodeTable(t Table) ([]byte, error) { return routes.EncodeTable(t) }

// DecodeTable reads what EncodeTable wrote and refuses everything else.
func DecodeTable(data []byte) (Table, error) { return routes.DecodeTable(data) }

// WriteTable puts a table at path atomically; see routes.WriteTable.
func WriteTable(path string, t Table) error { return routes.WriteTable(path, t) }
