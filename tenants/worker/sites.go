package worker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

// Sites is what makes and repairs sites.
type Sites struct {
	Runner            *operations.Runner
	Plans             *provision.Plans
	Reconciler        *provision.Reconciler
	Lists             Lists
	FirstUID, LastUID int // range of the sites' user ids
}

// Lists are the sites' egress lists.
type Lists interface {
	// Renew writes the lists that have changed.
	Renew(ctx context.Context) error
}

// reconcile renews the lists first, so that a grant without a nudge is not reported as drift of the site.
func (w *Worker) reconcile(ctx context.Context) error {
	w.recordReleases(ctx)
	return errors.Join(w.Sites.Lists.Renew(ctx), w.Sites.Reconciler.Reconcile(ctx))
}

// listsChanged requests a renewal of the lists after a change of grants.
func (w *Worker) listsChanged() {
	select {
	case w.listsDue <- struct{}{}:
	default: // it is due already
	}
}

// renewLists publishes changed grants at once. Failures are repeated by the reconciler's next round.
func (w *Worker) renewLists(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.listsDue:
		}
		if err := w.ifCurrent(w.Sites.Lists.Renew)(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("renewing what sites may reach failed", "error", err)
		}
	}
}

// checkSites lets reconciler and probe check sites after an event.
func (w *Worker) checkSites(ctx context.Context, ids []string) error {
	check := w.ifCurrent(func(ctx context.Context) error { return w.Sites.Reconciler.ReconcileSites(ctx, ids) })
	return errors.Join(check(ctx), w.Jobs.Sites.ProbeSites(ctx, ids))
}

// findingsWhenReady prevents the monitor, which runs from the start, from writing into a database that may not be ours.
type findingsWhenReady struct{ *Worker }

var errNotReady = errors.New("the worker is not ready yet")

// Replace implements platform.Findings.
func (w findingsWhenReady) Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	if !w.ready.Load() {
		return errNotReady
	}
	return w.Findings.Replace(ctx, scope, seen)
}

// dirtySites collects sites with events until they have been checked.
type dirtySites struct {
	mu    sync.Mutex
	ids   map[string]bool
	woken chan struct{}
}

func newDirtySites() *dirtySites {
	return &dirtySites{ids: map[string]bool{}, woken: make(chan struct{}, 1)}
}

func (s *dirtySites) add(_ context.Context, ids []string) {
	s.mu.Lock()
	for _, id := range ids {
		s.ids[id] = true
	}
	s.mu.Unlock()
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func (s *dirtySites) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.ids))
	s.ids = map[string]bool{}
	return ids
}

const (
	// checkTimeout bounds one check of some sites.
	checkTimeout = time.Minute
	// retryPause is the pause after a failed check.
	retryPause = 5 * time.Second
)

// run checks the collected sites; after a failure (the database may be away) the same sites are checked again.
func (s *dirtySites) run(ctx context.Context, check func(context.Context, []string) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.woken:
		}
		ids := s.take()
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		err := check(bounded, ids)
		cancel()
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryPause):
			s.add(ctx, ids)
		}
	}
}
