//go:build e2e

package e2e_test

import (
	"context"
	"database/sql"
	"testing"

	"chatiere/cmd/internal/inventory"
)

// inventory lists everything an instance has made on the machine, found without its labels and its records.
func (i *instance) inventory(t *testing.T) []string {
	t.Helper()
	return i.listed(t, inventory.Machine{Config: i.config}.List)
}

func (i *instance) groups(t *testing.T) []string {
	t.Helper()
	return i.listed(t, inventory.Machine{Config: i.config}.Groups)
}

func (i *instance) listed(t *testing.T, look func(context.Context) ([]string, error)) []string {
	t.Helper()
	found, err := look(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// leftOver returns what is in after and not in before, and what is missing from it.
func leftOver(before, after []string) (more, less []string) { return inventory.Diff(before, after) }

func (i *instance) sitesDatabase(t *testing.T) *sql.DB {
	t.Helper()
	db, err := inventory.Machine{Config: i.config}.SitesDatabase()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
