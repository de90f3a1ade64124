package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"chatiere/reverseproxy/egress"
	"chatiere/tenants"
)

// Egress writes what each site may reach.
type Egress struct {
	Dir string
	// Allow returns the names a site may reach: its template's and the co-op's.
	Allow func(s tenants.Site) ([]egress.Allow, error)
	Site  func(ctx context.Context, id string) (tenants.Site, error)
}

// Publish writes the site's list.
func (e *Egress) Publish(_ context.Context, s tenants.Site) error {
	l, err := e.list(s)
	if err != nil {
		return err
	}
	return egress.WriteList(e.Dir, l)
}

func (e *Egress) list(s tenants.Site) (egress.List, error) {
	allow, err := e.Allow(s)
	if err != nil {
		return egress.List{}, fmt.Errorf("finding what site %s may reach: %w", s.ID, err)
	}
	return egress.List{Format: 1, Site: s.ID, GID: s.UID, Host: s.Host, Allow: allow}, nil
}

// Withdraw removes the site's list; its way out closes.
func (e *Egress) Withdraw(_ context.Context, siteID string) error {
	return egress.RemoveList(e.Dir, siteID)
}

// Published reports whether the list in force is the one the records ask for.
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
	want, err := e.list(s)
	if err != nil {
		return false, err
	}
	return have.Same(want), nil
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
