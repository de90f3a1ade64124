package provisiontest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// Put puts a thing there behind the worker's back, such as "files:s99999999" or "database:site_s99999999". Databases and
// groups bear the mark.
func (w *World) Put(thing, instance, operation string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.things[thing] = mark{instance, operation}
}

// Drop takes things away behind the worker's back.
func (w *World) Drop(things ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, thing := range things {
		delete(w.things, thing)
	}
}

// Sight returns a sight of this world.
func (w *World) Sight() provision.Inventory {
	return provision.Inventory{Homes: ids{w, []string{"files:", "sockets:"}}, Egress: ids{w, []string{"egress:"}}, Databases: databaseList{w}, Groups: groupList{w}}
}

// named returns the marks of all things of a kind, by name.
func (w *World) named(kind string) map[string]mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[string]mark{}
	for thing, m := range w.things {
		if name, ok := strings.CutPrefix(thing, kind); ok {
			found[name] = m
		}
	}
	return found
}

type ids struct {
	*World
	kinds []string
}

func (w ids) IDs(context.Context) ([]string, error) {
	seen := map[string]mark{}
	for _, kind := range w.kinds {
		for name, m := range w.named(kind) {
			id, _, _ := strings.Cut(name, "/")
			seen[id] = m
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

type databaseList struct{ *World }

func (w databaseList) List(context.Context) ([]provision.FoundDatabase, error) {
	if w.DatabasesDown {
		return nil, fmt.Errorf("the sites' database: %w", tenants.ErrUnavailable)
	}
	byName := map[string]provision.FoundDatabase{}
	for name, m := range w.named("database:") {
		byName[name] = provision.FoundDatabase{Name: name, Database: true, Instance: m.instance, Operation: m.operation}
	}
	for name := range w.named("user:") {
		d := byName[name]
		d.Name, d.User = name, true
		byName[name] = d
	}
	return slices.Collect(maps.Values(byName)), nil
}

type groupList struct{ *World }

func (w groupList) List(context.Context) ([]provision.FoundGroup, error) {
	var out []provision.FoundGroup
	for slug, m := range w.named("group:") {
		out = append(out, provision.FoundGroup{Slug: slug, Instance: m.instance, Operation: m.operation})
	}
	return out, nil
}
