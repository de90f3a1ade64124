package provision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"chatiere/tenants"
)

// trace is what lies there for one site id.
type trace struct {
	container *tenants.Glimpse
	waiting   bool // an older container waits beside it
	database  *FoundDatabase
	egress    bool
	files     bool
}

// words names it all, for the log.
func (t trace) words() string {
	var parts []string
	if t.container != nil {
		parts = append(parts, "container "+t.container.Name)
	}
	if t.egress {
		parts = append(parts, "egress list")
	}
	if t.database != nil && t.database.Database {
		parts = append(parts, "database "+t.database.Name)
	}
	if t.database != nil && t.database.User {
		parts = append(parts, "database user "+t.database.Name)
	}
	if t.files {
		parts = append(parts, "directories")
	}
	return strings.Join(parts, ", ")
}

// sighting is one look at everything, by site id: one question to each place, however many sites there are.
type sighting struct {
	traces    map[string]*trace
	databases bool // they could be listed
	faults    []error
}

// look fails when the engine does not answer: nothing can be judged then. Any other place that does not answer is left out
// of this round.
func (r *Reconciler) look(ctx context.Context) (*sighting, error) {
	containers, err := r.Engine.List(ctx, map[string]string{tenants.LabelInstance: r.Instance, tenants.LabelSite: ""})
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	seen := &sighting{traces: map[string]*trace{}}
	seen.containers(containers, r.containerName)
	found, err := r.Sight.Databases.List(ctx)
	seen.fault("listing the sites' databases", err)
	seen.databases = err == nil
	for i, d := range found {
		seen.of(strings.TrimPrefix(d.Name, tenants.DatabaseName(""))).database = &found[i]
	}
	ids, err := r.Sight.Homes.IDs(ctx)
	seen.fault("listing the sites' directories", err)
	for _, id := range ids {
		seen.of(id).files = true
	}
	ids, err = r.Sight.Egress.IDs(ctx)
	seen.fault("listing the egress lists", err)
	for _, id := range ids {
		seen.of(id).egress = true
	}
	return seen, nil
}

// containers notes them by site. A one-shot container, or an older one, may lie beside the site's own.
func (s *sighting) containers(found []tenants.Glimpse, name func(siteID string) string) {
	for i, c := range found {
		id := c.Labels[tenants.LabelSite]
		t := s.of(id)
		t.waiting = t.waiting || c.Name == name(id)+tenants.OldSuffix
		if t.container == nil || c.Name == name(id) {
			t.container = &found[i]
		}
	}
}

func (s *sighting) of(id string) *trace {
	if s.traces[id] == nil {
		s.traces[id] = &trace{}
	}
	return s.traces[id]
}

func (s *sighting) ids() []string { return slices.Sorted(maps.Keys(s.traces)) }

func (s *sighting) fault(doing string, err error) {
	if err != nil {
		s.faults = append(s.faults, fmt.Errorf("%s: %w", doing, err))
	}
}
