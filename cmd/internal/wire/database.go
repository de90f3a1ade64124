package wire

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/dbguard"
	"chatiere/tenants/dbguard/deathlog"
	"chatiere/tenants/sitedb"
)

// newDatabaseGuard builds the guard of the database server that all sites share.
func (w *Worker) newDatabaseGuard() *dbguard.Guard {
	p := w.config.Paths()
	file := filepath.Join(p.SitesMariaDBData(), "data", "ibtmp1")
	return &dbguard.Guard{
		Server: checkedServer{w.databases, w}, Records: w.store, Freezer: w.freezer(tenants.AreaDatabase, tenants.FindingDatabaseLocked),
		TemporarySize: func() (int64, error) {
			info, err := os.Stat(file)
			if err != nil {
				return 0, err
			}
			return info.Size(), nil
		},
		Temporary: w.temporaryTables, Now: time.Now, Log: w.log,
		Deaths: &deathlog.Log{Root: p.SitesMariaDBData(), Dir: "deaths", File: p.DatabaseDeaths(), Log: w.log},
	}
}

// checkedServer locks a user only while the records are this data root's.
type checkedServer struct {
	*sitedb.Server
	w *Worker
}

// Lock implements dbguard.Server.
func (s checkedServer) Lock(ctx context.Context, name string) error {
	if err := s.w.guard.Check(ctx); err != nil {
		return err
	}
	return s.Server.Lock(ctx, name)
}

// temporaryTables reports whether the site with this database may make temporary tables: the co-op says so of the site, or
// its template of all of them.
func (w *Worker) temporaryTables(database string) bool {
	id := tenants.DatabaseSite(database)
	if slices.Contains(w.config.SitesDatabase.TemporaryTables, id) {
		return true
	}
	granting := func(template string) bool {
		m, err := w.catalogue.Manifest(template)
		return err == nil && m.Database.TemporaryTables
	}
	if !slices.ContainsFunc(w.catalogue.Names(), granting) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := w.store.Site(ctx, id)
	return err == nil && granting(s.Template)
}

// databaseRights adjusts the sites' database rights to the template and the configuration.
func (w *Worker) databaseRights(ctx context.Context) error {
	return w.databases.GrantTemporary(ctx, w.temporaryTables)
}
