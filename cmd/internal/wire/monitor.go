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

func (w *Worker) newMonitor() *platform.Monitor {
	return &platform.Monitor{
		Instance: w.config.Instance, Roles: platformRoles(w.config), Self: "worker", File: w.config.Paths().Platform(),
		Engine: w.engine, Findings: findingsWhenReady{w}, Now: time.Now, Log: w.log,
		Sites: func(_ context.Context, ids []string) { w.dirtySites.add(ids) },
	}
}

// findingsWhenReady prevents the monitor, which runs from the start, from writing into a database that may not be ours.
type findingsWhenReady struct{ *Worker }

var errNotReady = errors.New("the worker is not ready yet")

// Replace implements platform.Findings.
func (w findingsWhenReady) Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error {
	if !w.ready.Load() {
		return errNotReady
	}
	return w.findings.Replace(ctx, scope, seen)
}

// platformRoles are the roles that the configuration requires.
func platformRoles(c config.Config) []string {
	roles := []string{"proxy", "panel", "worker", "gateway", "mariadb", "mariadb-sites"}
	if !c.Identity.External {
		roles = append(roles, "keycloak")
	}
	return roles
}

// checkSites lets reconciler and probe check sites after an event.
func (w *Worker) checkSites(ctx context.Context, ids []string) error {
	look := w.ifCurrent(func(ctx context.Context) error { return w.reconciler.ReconcileSites(ctx, ids) })
	return errors.Join(look(ctx), w.siteJobs.ProbeSites(ctx, ids))
}

// restartCommand returns the command that restarts the worker of this instance, from its container's Compose labels.
func restartCommand(c config.Config, labels map[string]string) string {
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

// serveContainers serves the state of the platform's containers at the last check.
func (w *Worker) serveContainers(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(w.monitor.States()) // an asker who is gone needs no answer
}

// containersTimeout bounds the panel's request: a page must not wait for a worker that hangs.
const containersTimeout = 2 * time.Second

// Containers requests the state of the platform's containers from the worker.
func (w workerClient) Containers(ctx context.Context) ([]panel.PlatformContainer, error) {
	ctx, cancel := context.WithTimeout(ctx, containersTimeout)
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

// dirtySites collects sites with events until they have been checked.
type dirtySites struct {
	mu    sync.Mutex
	ids   map[string]bool
	woken chan struct{}
}

func newDirtySites() *dirtySites {
	return &dirtySites{ids: map[string]bool{}, woken: make(chan struct{}, 1)}
}

func (s *dirtySites) add(ids []string) {
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

// checkTimeout bounds one check of some sites.
const checkTimeout = time.Minute

// retryPause is the pause after a failed check.
const retryPause = 5 * time.Second

// run checks the collected sites; after a failure (the database may be away) the same sites are checked again.
func (s *dirtySites) run(ctx context.Context, look func(context.Context, []string) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.woken:
		}
		ids := s.take()
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		err := look(bounded, ids)
		cancel()
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryPause):
			s.add(ids)
		}
	}
}
