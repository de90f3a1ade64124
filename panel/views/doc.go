// Package views renders the panel's pages: one typed struct per page, French and English.
//
// It holds every word people read (fr.json, en.json), the templates and the formats of dates and
// sizes. It must not know Fiber, the database, tenants or operations: handlers translate what they know
// into the structs of this package, whose enumerations are its own.
//
// Start reading at Set (set.go), then Base (base.go); every page struct says which template renders it.
package views
