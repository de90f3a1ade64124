// Package records checks whether a database's records and a data root belong together, before a worker acts on them.
//
// Both carry a mark: whose they are, and a count that grows before each piece of work, first in the database, then on the
// data root. Records that lag behind the data root come from an older dump, and a worker that acted by them would take
// routes away, wake what was purged and do again what was done. Start reading at Compare, then Guard.
//
// The package knows neither SQL nor operations.
package records
