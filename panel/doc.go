// Package panel is what people talk to: pages and a JSON API with the same powers, on unix sockets alone.
//
// It authenticates (panel/auth), asks the use cases for changes (Provisioner authorises those), reads the records itself
// (authorising through Server.authorize), and renders panel/views. It must not know the database, the container engine
// nor the sites' files. Start reading at routes.go, the list of everything it answers.
package panel
