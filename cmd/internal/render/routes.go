// Package render renders the records as the files that the proxy and the gateway read: the route table and the egress lists.
// Both are always derived completely from the records, so that writing them again repairs them.
package render

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"chatiere/reverseproxy"
	"chatiere/tenants"
)

// Routes writes the route table.
type Routes struct {
	Path       string // of the table
	PublicPort int
	Language   string
	Domain     string // below which sites live together
	// Platform are the routes that exist whatever the records say: the panel, Keycloak.
	Platform []reverseproxy.Route
	Sites    interface {
		LiveSites(ctx context.Context) ([]tenants.Site, error)
	}
	Socket func(siteID, release string) string
	// Refuse returns the paths a site's template refuses.
	Refuse func(s tenants.Site) ([]string, error)
	Now    func() time.Time
	// Serving asks the proxy which version of the table it serves by; below zero when it answers and does not tell.
	Serving func(ctx context.Context) (version int64, err error)

	mu sync.Mutex
}

// Publish writes the table from the records as they are now, if it differs from the one in force.
func (r *Routes) Publish(ctx context.Context) error {
	r.mu.Lock() // two writers that read in one order and wrote in the other would bring an old table back
	defer r.mu.Unlock()
	sites, err := r.Sites.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing sites for the route table: %w", err)
	}
	old, err := r.inForce()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		old = reverseproxy.Table{} // a damaged table is replaced, like a missing one
	}
	next := reverseproxy.Table{
		Version: old.Version + 1, Written: r.Now().UTC(), PublicPort: r.PublicPort, Routes: r.routes(sites, old),
	}
	if err == nil && sameRoutes(old, next) {
		return nil
	}
	return reverseproxy.WriteTable(r.Path, next)
}

func (r *Routes) inForce() (reverseproxy.Table, error) {
	data, err := os.ReadFile(r.Path)
	if err != nil {
		return reverseproxy.Table{}, err
	}
	return reverseproxy.DecodeTable(data)
}

// sameRoutes compares what the encoding keeps, since it sorts.
func sameRoutes(old, next reverseproxy.Table) bool {
	next.Version, next.Written = old.Version, old.Written
	data, err := reverseproxy.EncodeTable(next)
	if err != nil {
		return false
	}
	decoded, err := reverseproxy.DecodeTable(data)
	return err == nil && decoded.PublicPort == old.PublicPort && reflect.DeepEqual(decoded.Routes, old.Routes)
}

// routes derives the table. A site whose template cannot be resolved keeps the refusals that are in force, and without any
// it is down: it must not hold up the others' routes, nor be open where its template would refuse.
func (r *Routes) routes(sites []tenants.Site, old reverseproxy.Table) []reverseproxy.Route {
	out := append([]reverseproxy.Route(nil), r.Platform...)
	for _, s := range sites {
		state, routed := routeState(s.State)
		if !routed {
			continue
		}
		refuse, err := r.Refuse(s)
		if err != nil {
			i := slices.IndexFunc(old.Routes, func(o reverseproxy.Route) bool { return o.Site == s.ID && len(o.Refuse) > 0 })
			switch {
			case i >= 0:
				refuse = old.Routes[i].Refuse
			case state == reverseproxy.StateServing:
				state = reverseproxy.StateDown
			}
		}
		route := reverseproxy.Route{
			Host: s.Host, Site: s.ID, State: state, Upstream: "unix:" + r.Socket(s.ID, s.Release.Sockets), Lang: r.Language, Refuse: refuse,
		}
		if strings.HasSuffix(s.Host, "."+r.Domain) {
			route.SharedDomain = r.Domain // a domain of the site's own is shared with nobody
		}
		out = append(out, route)
	}
	return out
}

// routeState says what visitors of a site in a state meet; a site that is still being made has no route, since an
// installer's page must never be public.
func routeState(s tenants.SiteState) (reverseproxy.State, bool) {
	switch s {
	case tenants.StateReady:
		return reverseproxy.StateServing, true
	case tenants.StateSuspended, tenants.StateBinned:
		return reverseproxy.StateRefused, true
	}
	return "", false
}

// Published returns the state of a host's route in the table in force, "" when it has none.
func (r *Routes) Published(_ context.Context, host string) (string, error) {
	t, err := r.inForce()
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	for _, route := range t.Routes {
		if route.Host == host {
			return string(route.State), nil
		}
	}
	return "", err
}

// awaitPoll is how often the proxy is asked whether it has the table; it looks for a new one at once.
const awaitPoll = 50 * time.Millisecond

// awaitTimeout is how long the proxy may take. It looks at the file every other second even where nothing tells it.
const awaitTimeout = 15 * time.Second

// silentProxy is how long Await waits for a proxy that does not tell its version: one of before it did, which looks at the
// table every other second at the latest.
const silentProxy = 5 * time.Second

// Await waits until the proxy serves by the table in force. The table is read again each time: another writer may have
// replaced it, and after a damaged table the version starts at 1 again.
func (r *Routes) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	for began := time.Now(); ; {
		t, err := r.inForce()
		if err != nil {
			return err
		}
		version, err := r.Serving(ctx)
		if err == nil && (version == t.Version || version < 0 && time.Since(began) >= silentProxy) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the proxy to serve by table %d (it has %d): %w", t.Version, version, errors.Join(err, ctx.Err()))
		case <-time.After(awaitPoll):
		}
	}
}
