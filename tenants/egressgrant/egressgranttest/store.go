// Package egressgranttest stores egress grants in memory, for tests.
package egressgranttest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"chatiere/tenants"
)

// Store behaves like the database.
type Store struct {
	mu  sync.Mutex
	all []tenants.EgressGrant
}

// Grant returns one by id.
func (s *Store) Grant(_ context.Context, id string) (tenants.EgressGrant, error) {
	found, _ := s.filter(func(a tenants.EgressGrant) bool { return a.ID == id })
	if len(found) == 0 {
		return tenants.EgressGrant{}, fmt.Errorf("access %s: %w", id, tenants.ErrNotFound)
	}
	return found[0], nil
}

// SiteGrants returns a site's, the newest first.
func (s *Store) SiteGrants(_ context.Context, siteID string) ([]tenants.EgressGrant, error) {
	return s.filter(func(a tenants.EgressGrant) bool { return a.SiteID == siteID })
}

// GrantsIn returns those in a state, the newest first.
func (s *Store) GrantsIn(_ context.Context, state tenants.GrantState) ([]tenants.EgressGrant, error) {
	return s.filter(func(a tenants.EgressGrant) bool { return a.State == state })
}

func (s *Store) filter(fit func(tenants.EgressGrant) bool) ([]tenants.EgressGrant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []tenants.EgressGrant
	for _, a := range slices.Backward(s.all) {
		if fit(a) {
			out = append(out, a)
		}
	}
	return out, nil
}

// CreateGrant stores a request; ErrConflict when the same is live.
func (s *Store) CreateGrant(_ context.Context, a tenants.EgressGrant) error {
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

// DecideGrant writes a decision if the state is still from.
func (s *Store) DecideGrant(_ context.Context, a tenants.EgressGrant, from tenants.GrantState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(b tenants.EgressGrant) bool { return b.ID == a.ID && b.State == from })
	if i < 0 {
		return tenants.ErrConflict
	}
	s.all[i] = a
	return nil
}
