// Package templatestest holds templates for tests alone: carnet has two containers, PostgreSQL and an application that
// answers on a port; vitrine has one container and two modes. It is never imported by the program.
package templatestest

import (
	"embed"
	"io/fs"
)

//go:embed all:catalog
var embedded embed.FS

// Catalogue is the file system of these templates.
func Catalogue() fs.FS {
	catalog, err := fs.Sub(embedded, "catalog")
	if err != nil {
		panic(err) // only an invalid constant could lead here
	}
	return catalog
}
