package wire

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/tenants"
	"chatiere/tenants/watch"
)

func (w *Worker) newWatch() *watch.Watch {
	return &watch.Watch{
		Instance: w.config.Instance, Roles: platformRoles(w.config), Self: "worker", File: w.config.Paths().Platform(),
		Engine: w.engine, Findings: whenReady{w}, Now: time.Now, Log: w.log,
		Sites: func(_ context.Context, ids []string) { w.stirred.add(ids) },
	}
}

// whenReady keeps the watch, which works from the start, from writing into a database that may not be ours.
type whenReady struct{ *Worker }

var errNotReady = errors.New("the worker is not ready yet")

// Replace implements watch.Findings.
func (w whenReady) Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	if !w.ready.Load() {
		return errNotReady
	}
	return w.findings.Replace(ctx, scope, seen)
}

// platformRoles are the parts that the configuration asks for.
func platformRoles(c config.Config) []string {
	roles := []string{"proxy", "panel", "worker", "gateway", "mariadb", "mariadb-sites"}
	if !c.Identity.External {
		roles = append(roles, "keycloak")
	}
	return roles
}

// lookAtSites lets reconciler and probe look at sites that something happened to.
func (w *Worker) lookAtSites(ctx context.Context, ids []string) error {
	return errors.Join(w.reconciler.Look(ctx, ids), w.upkeep.ProbeSites(ctx, ids))
}

// stirred collects sites that something happened to, until somebody has looked at them.
type stirred struct {
	mu    sync.Mutex
	ids   map[string]bool
	woken chan struct{}
}

func newStirred() *stirred { return &stirred{ids: map[string]bool{}, woken: make(chan struct{}, 1)} }

func (s *stirred) add(ids []string) {
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

func (s *stirred) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.ids))
	s.ids = map[string]bool{}
	return ids
}

// lookTime bounds one look at some sites.
const lookTime = time.Minute

// lookPause is how long a look that failed waits for its next try.
const lookPause = 5 * time.Second

// run hands on what was collected; when the look fails, for the database may be away, the same sites are looked at again.
func (s *stirred) run(ctx context.Context, look func(context.Context, []string) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.woken:
		}
		ids := s.take()
		bounded, cancel := context.WithTimeout(ctx, lookTime)
		err := look(bounded, ids)
		cancel()
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookPause):
			s.add(ids)
		}
	}
}
