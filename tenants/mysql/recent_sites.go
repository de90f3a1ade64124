package mysql

import (
	"context"
	"sync"
	"time"

	"chatiere/tenants"
)

// RecentSites lets the recurring jobs that begin within a few seconds share one list of sites, their only query when idle.
type RecentSites struct {
	*Store

	mu    sync.Mutex
	sites []tenants.Site
	at    time.Time
}

// recentAge is how old the list may be.
const recentAge = 3 * time.Second

// LiveSites implements jobs.Records. The caller may change the list.
func (r *RecentSites) LiveSites(ctx context.Context) ([]tenants.Site, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) > recentAge {
		sites, err := r.Store.LiveSites(ctx)
		if err != nil {
			return nil, err
		}
		r.sites, r.at = sites, time.Now()
	}
	return append([]tenants.Site(nil), r.sites...), nil
}
