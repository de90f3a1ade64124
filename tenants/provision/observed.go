package provision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"chatiere/tenants"
)

// siteObjects is what exists for one site id.
type siteObjects struct {
	containers []tenants.ContainerSummary // of whatever release
	databases  []FoundDatabase            // of whatever generation
	egress     bool
	files      bool
}

// container returns the container of that name, the zero value when there is none.
func (t siteObjects) container(name string) tenants.ContainerSummary {
	for _, c := range t.containers {
		if c.Name == name {
			return c
		}
	}
	return tenants.ContainerSummary{}
}

// database returns the database and user of that name.
func (t siteObjects) database(name string) FoundDatabase {
	for _, d := range t.databases {
		if d.Name == name {
			return d
		}
	}
	return FoundDatabase{}
}

// runs reports whether all containers of a release run.
func (t siteObjects) runs(r tenants.Release) bool {
	for _, c := range r.Containers {
		if !t.container(c.Container).Running() {
			return false
		}
	}
	return len(r.Containers) > 0
}

// anyRuns reports whether any container runs.
func (t siteObjects) anyRuns() bool {
	return slices.ContainsFunc(t.containers, tenants.ContainerSummary.Running)
}

// hasOthers reports whether there are containers of other releases.
func (t siteObjects) hasOthers(r tenants.Release) bool {
	return slices.ContainsFunc(t.containers, func(g tenants.ContainerSummary) bool {
		return !slices.ContainsFunc(r.Containers, func(c tenants.ReleaseContainer) bool { return c.Container == g.Name })
	})
}

func (t siteObjects) empty() bool {
	return len(t.containers) == 0 && len(t.databases) == 0 && !t.egress && !t.files
}

// summary lists everything, for the log.
func (t siteObjects) summary() string {
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

// observed is what exists, by site id, from one query to each place.
type observed struct {
	sites     map[string]*siteObjects
	databases bool // they could be listed
	faults    []error
}

// observe lists everything. It fails when the engine does not answer; any other place that does not answer is skipped in
// this round.
func (r *Reconciler) observe(ctx context.Context) (*observed, error) {
	containers, err := r.Engine.List(ctx, map[string]string{tenants.LabelInstance: r.Instance, tenants.LabelSite: ""})
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	seen := &observed{sites: map[string]*siteObjects{}}
	seen.containers(containers)
	found, err := r.Inventory.Databases.List(ctx)
	seen.addFault("listing the sites' databases", err)
	seen.databases = err == nil
	for _, d := range found {
		t := seen.of(tenants.DatabaseSite(d.Name))
		t.databases = append(t.databases, d)
	}
	ids, err := r.Inventory.Homes.IDs(ctx)
	seen.addFault("listing the sites' directories", err)
	for _, id := range ids {
		seen.of(id).files = true
	}
	ids, err = r.Inventory.Egress.IDs(ctx)
	seen.addFault("listing the egress lists", err)
	for _, id := range ids {
		seen.of(id).egress = true
	}
	return seen, nil
}

// containers adds containers to their sites, in the order of their names.
func (s *observed) containers(found []tenants.ContainerSummary) {
	slices.SortFunc(found, func(a, b tenants.ContainerSummary) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range found {
		t := s.of(c.Labels[tenants.LabelSite])
		t.containers = append(t.containers, c)
	}
}

func (s *observed) of(id string) *siteObjects {
	if s.sites[id] == nil {
		s.sites[id] = &siteObjects{}
	}
	return s.sites[id]
}

func (s *observed) ids() []string { return slices.Sorted(maps.Keys(s.sites)) }

func (s *observed) addFault(doing string, err error) {
	if err != nil {
		s.faults = append(s.faults, fmt.Errorf("%s: %w", doing, err))
	}
}
