package render

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"chatiere/reverseproxy/egress"
	"chatiere/tenants"
)

// Egress writes what each site may reach.
type Egress struct {
	Dir string
	// Allow returns the names a site may reach: its template's, the co-op's and its own.
	Allow func(ctx context.Context, s tenants.Site) ([]egress.AllowedName, error)
	Site  func(ctx context.Context, id string) (tenants.Site, error)
	// Senders returns the domains that a site may write mail from beside its own name and what all may; nil: none.
	Senders func(ctx context.Context, s tenants.Site) ([]string, error)

	mu sync.Mutex // a list that is being renewed must not be withdrawn in between, or it would come back
}

// Publish writes the site's list.
func (e *Egress) Publish(ctx context.Context, s tenants.Site) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, err := e.list(ctx, s)
	if err != nil {
		return err
	}
	return egress.WriteList(e.Dir, l)
}

func (e *Egress) list(ctx context.Context, s tenants.Site) (egress.List, error) {
	allow, err := e.Allow(ctx, s)
	if err != nil {
		return egress.List{}, fmt.Errorf("finding what site %s may reach: %w", s.ID, err)
	}
	l := egress.List{Format: 1, Site: s.ID, GID: s.UID, Host: s.Host, Release: s.Release.Sockets, Allow: allow}
	if e.Senders == nil {
		return l, nil
	}
	if l.Senders, err = e.Senders(ctx, s); err != nil {
		return egress.List{}, fmt.Errorf("finding what site %s may write from: %w", s.ID, err)
	}
	return l, nil
}

// Withdraw removes the site's list, which closes its egress.
func (e *Egress) Withdraw(_ context.Context, siteID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return egress.RemoveList(e.Dir, siteID)
}

// Renew updates existing lists from the records. Operations decide whether a site has a list at all; a fault of one site
// does not affect the others.
func (e *Egress) Renew(ctx context.Context) error {
	ids, err := e.IDs(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range ids {
		if err := e.renew(ctx, id); err != nil {
			faults = append(faults, fmt.Errorf("renewing what site %s may reach: %w", id, err))
		}
	}
	return errors.Join(faults...)
}

func (e *Egress) renew(ctx context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	have, err := egress.ReadList(filepath.Join(e.Dir, id+".json"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, egress.ErrList) {
		return nil // gone meanwhile, or damaged: the reconciler's business
	}
	if err != nil {
		return err
	}
	s, err := e.Site(ctx, id)
	if errors.Is(err, tenants.ErrNotFound) || err == nil && !s.State.Live() {
		return nil // a stray, which the reconciler tells of
	}
	if err != nil {
		return err
	}
	want, err := e.list(ctx, s)
	if err != nil || have.Equal(want) {
		return err
	}
	return egress.WriteList(e.Dir, want)
}

// Published reports whether the list in force matches the records.
func (e *Egress) Published(ctx context.Context, siteID string) (bool, error) {
	have, err := egress.ReadList(filepath.Join(e.Dir, siteID+".json"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, egress.ErrList) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s, err := e.Site(ctx, siteID)
	if err != nil {
		return false, err
	}
	want, err := e.list(ctx, s)
	if err != nil {
		return false, err
	}
	return have.Equal(want), nil
}

// IDs lists the sites that have a list, for the reconciler to compare.
func (e *Egress) IDs(context.Context) ([]string, error) {
	entries, err := os.ReadDir(e.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listing what sites may reach: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		// What begins with a dot is being written.
		if id, isList := strings.CutSuffix(entry.Name(), ".json"); isList && !strings.HasPrefix(id, ".") {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
