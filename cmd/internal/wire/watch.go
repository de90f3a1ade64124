package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/panel"
	"chatiere/tenants"
	"chatiere/tenants/platform"
)

func (w *Worker) newWatch() *platform.Monitor {
	return &platform.Monitor{
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
	look := w.sure(func(ctx context.Context) error { return w.reconciler.Look(ctx, ids) })
	return errors.Join(look(ctx), w.upkeep.ProbeSites(ctx, ids))
}

// revival is the command that brings the worker of this instance back, by what its container says of who made it.
func revival(c config.Config, labels map[string]string) string {
	files := labels["com.docker.compose.project.config_files"]
	switch {
	case files == "":
		return "docker start chatiere-" + c.Instance + "-worker"
	case c.Instance == "demo":
		return "cd " + labels["com.docker.compose.project.working_dir"] + " && make demo"
	}
	tool := "docker compose"
	if strings.HasPrefix(labels["com.docker.compose.version"], "1.") {
		tool = "docker-compose"
	}
	command := tool + " -p " + labels["com.docker.compose.project"] + " --env-file " + c.Paths().ComposeEnv()
	for file := range strings.SplitSeq(files, ",") {
		command += " -f " + file
	}
	return command + " up -d worker"
}

// tellParts answers how the platform's containers were at the last look.
func (w *Worker) tellParts(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(w.watch.States()) // an asker who is gone needs no answer
}

// partsTime bounds the panel's question: a page must not wait for a worker that hangs.
const partsTime = 2 * time.Second

// Containers asks the worker how the platform's containers are.
func (w worker) Containers(ctx context.Context) ([]panel.PlatformContainer, error) {
	ctx, cancel := context.WithTimeout(ctx, partsTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://worker/parts", nil)
	if err != nil {
		return nil, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the worker for the platform's containers: %w: %w", tenants.ErrUnavailable, err)
	}
	defer res.Body.Close()
	var states []platform.State
	if err := json.NewDecoder(res.Body).Decode(&states); err != nil {
		return nil, fmt.Errorf("reading the state of the platform's containers: %w", err)
	}
	parts := make([]panel.PlatformContainer, 0, len(states))
	for _, s := range states {
		parts = append(parts, panel.PlatformContainer(s))
	}
	return parts, nil
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
