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
	containers []tenants.Glimpse // of whatever release
	databases  []FoundDatabase   // of whatever generation
	egress     bool
	files      bool
}

// named returns the container of that name, the zero value when there is none.
func (t trace) named(name string) tenants.Glimpse {
	for _, c := range t.containers {
		if c.Name == name {
			return c
		}
	}
	return tenants.Glimpse{}
}

// database returns what is there under a database's name.
func (t trace) database(name string) FoundDatabase {
	for _, d := range t.databases {
		if d.Name == name {
			return d
		}
	}
	return FoundDatabase{}
}

// runs reports whether all containers of a release run.
func (t trace) runs(r tenants.Release) bool {
	for _, c := range r.Containers {
		if !t.named(c.Container).Running() {
			return false
		}
	}
	return len(r.Containers) > 0
}

// anyRuns reports whether any container runs.
func (t trace) anyRuns() bool { return slices.ContainsFunc(t.containers, tenants.Glimpse.Running) }

// others reports whether there are containers that are not of the release.
func (t trace) others(r tenants.Release) bool {
	return slices.ContainsFunc(t.containers, func(g tenants.Glimpse) bool {
		return !slices.ContainsFunc(r.Containers, func(c tenants.ReleaseContainer) bool { return c.Container == g.Name })
	})
}

func (t trace) empty() bool {
	return len(t.containers) == 0 && len(t.databases) == 0 && !t.egress && !t.files
}

// words names it all, for the log.
func (t trace) words() string {
	var parts []string
	for _, c := range t.containers {
		parts = append(parts, "container "+c.Name)
	}
	if t.egress {
		parts = append(parts, "egress list")
	}
	for _, d := range t.databases {
		if d.Database {
			parts = append(parts, "database "+d.Name)
		}
		if d.User {
			parts = append(parts, "database user "+d.Name)
		}
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
	seen.containers(containers)
	found, err := r.Sight.Databases.List(ctx)
	seen.fault("listing the sites' databases", err)
	seen.databases = err == nil
	for _, d := range found {
		t := seen.of(tenants.DatabaseSite(d.Name))
		t.databases = append(t.databases, d)
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

// containers notes them by site, in the order of their names.
func (s *sighting) containers(found []tenants.Glimpse) {
	slices.SortFunc(found, func(a, b tenants.Glimpse) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range found {
		t := s.of(c.Labels[tenants.LabelSite])
		t.containers = append(t.containers, c)
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
