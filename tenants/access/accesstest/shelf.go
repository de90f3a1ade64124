// Package accesstest is a shelf of wishes for access in memory, for tests.
package accesstest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"chatiere/tenants"
)

// Shelf keeps wishes as the database does.
type Shelf struct {
	mu  sync.Mutex
	all []tenants.Access
}

// Access returns one by id.
func (s *Shelf) Access(_ context.Context, id string) (tenants.Access, error) {
	found, _ := s.those(func(a tenants.Access) bool { return a.ID == id })
	if len(found) == 0 {
		return tenants.Access{}, fmt.Errorf("access %s: %w", id, tenants.ErrNotFound)
	}
	return found[0], nil
}

// SiteAccess returns a site's, the newest first.
func (s *Shelf) SiteAccess(_ context.Context, siteID string) ([]tenants.Access, error) {
	return s.those(func(a tenants.Access) bool { return a.SiteID == siteID })
}

// AccessIn returns those in a state, the newest first.
func (s *Shelf) AccessIn(_ context.Context, state tenants.AccessState) ([]tenants.Access, error) {
	return s.those(func(a tenants.Access) bool { return a.State == state })
}

func (s *Shelf) those(fit func(tenants.Access) bool) ([]tenants.Access, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []tenants.Access
	for _, a := range slices.Backward(s.all) {
		if fit(a) {
			out = append(out, a)
		}
	}
	return out, nil
}

// CreateAccess keeps a wish; ErrConflict when the same is live.
func (s *Shelf) CreateAccess(_ context.Context, a tenants.Access) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.all {
		if b.SiteID == a.SiteID && b.State.Live() && b.Target() == a.Target() {
			return tenants.ErrConflict
		}
	}
	s.all = append(s.all, a)
	return nil
}

// DecideAccess writes a decision if the state is still from.
func (s *Shelf) DecideAccess(_ context.Context, a tenants.Access, from tenants.AccessState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(b tenants.Access) bool { return b.ID == a.ID && b.State == from })
	if i < 0 {
		return tenants.ErrConflict
	}
	s.all[i] = a
	return nil
}
