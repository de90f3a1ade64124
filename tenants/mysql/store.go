// Package mysql keeps the domain's records in MariaDB: associations, people, sites, operations, the audit trail and traffic.
//
// Records are structs of its own, mapped to the domain's types by hand; the schema comes from package migrations, never from
// these structs. Start reading at Store.
package mysql

import (
	"fmt"
	"time"
	_ "time/tzdata" // days are those of Paris, and the image has no zone files

	"chatiere/tenants/database"
	"chatiere/tenants/provision"
)

// Config says where the database is, who we are to it, and which user ids sites may have.
type Config struct {
	database.Config
	FirstUID, LastUID int
}

// Store is the database as the use cases, the runner and the pages see it. It is safe for concurrent use.
type Store struct {
	*database.DB
	firstUID, lastUID int
	paris             *time.Location
}

var _ provision.Records = (*Store)(nil)

// Open returns a store. It does not connect yet, see database.Open.
func Open(c Config) (*Store, error) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, fmt.Errorf("loading the time zone: %w", err)
	}
	db, err := database.Open(c.Config)
	if err != nil {
		return nil, err
	}
	return &Store{DB: db, firstUID: c.FirstUID, lastUID: c.LastUID, paris: paris}, nil
}
