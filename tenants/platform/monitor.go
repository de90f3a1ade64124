// Package platform detects within seconds when a container of the platform or of a site is gone, restarts in a loop, is
// unhealthy, or was changed by hand. It recreates the platform's own containers by itself, from a file on the data root
// with their configurations, so that it works even when the database is the one that is gone. Changes of sites are passed
// on: operations repair them. Whatever it cannot repair becomes a finding.
//
// It knows neither Docker nor SQL. Start reading at Monitor.Run, then Monitor.Check; the check of one component is in
// component.go.
package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/recovery"
)

// Engine is what the monitor needs from the container engine.
type Engine interface {
	Containers
	Configs
}

// Containers observes containers and acts on them.
type Containers interface {
	List(ctx context.Context, labels map[string]string) ([]tenants.ContainerSummary, error)
	// Events calls tell for each event from an instant on, until ctx ends or the stream breaks.
	Events(ctx context.Context, since time.Time, tell func(tenants.Event)) error
	Inspect(ctx context.Context, name string) (tenants.Container, error)
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string, grace time.Duration) error
	Remove(ctx context.Context, name string) error
	Rename(ctx context.Context, name, to string) error
	LogTail(ctx context.Context, name string, lines int) (string, error)
}

// Configs reads, compares and applies configurations of containers. They are opaque: the engine's own JSON.
type Configs interface {
	ContainerConfig(ctx context.Context, name string) (json.RawMessage, error)
	ConfigLabels(config json.RawMessage) (map[string]string, error)
	// CreateFromConfig makes a container and does not start it: ErrConflict when the name is taken, ErrNotFound when the
	// image is gone.
	CreateFromConfig(ctx context.Context, name string, config json.RawMessage) error
	// ConfigDrift returns the settings in which two configurations differ.
	ConfigDrift(a, b json.RawMessage) ([]string, error)
}

// Findings stores findings.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Monitor checks the platform's containers and observes the sites'.
type Monitor struct {
	Instance string
	Roles    []string // of the platform, as configured; containers of other roles are not recreated
	Self     string   // the role that runs the monitor, which cannot recreate itself
	File     string   // path of the recorded configurations
	// ComposeEnv is the path of the environment file with which the platform was started.
	ComposeEnv string
	Engine     Engine
	Findings   Findings
	// Sites is called with the sites whose containers have changed since the last check.
	Sites func(ctx context.Context, ids []string)
	Now   func() time.Time
	Log   *slog.Logger

	mu         sync.Mutex
	records    map[string]record // by role
	states     map[string]*componentState
	sites      map[string]tenants.ContainerSummary // by container name, at the last check
	dirtySites map[string]bool                     // sites with an event since then
	dirtyRoles map[string]bool                     // roles with an event since their last check
	unreported []tenants.Finding                   // opened, and not yet stored
	unknown    []tenants.Finding                   // about unknown containers
	woken      chan struct{}
	reportMu   sync.Mutex // guards said and saidAt
	lastReport string
	reportedAt time.Time
	work       sync.WaitGroup
}

const (
	// interval is the time between two checks when nothing happens.
	interval = 10 * time.Second
	// debounce is how long a check waits after an event, since events come in groups.
	debounce = 700 * time.Millisecond
	// retryDelay is how soon a suspect component is checked again.
	retryDelay = 2 * time.Second
)

// Run monitors until ctx ends and waits for the repairs in progress.
func (w *Monitor) Run(ctx context.Context) {
	w.prepare()
	w.work.Go(func() { recovery.Keep(ctx, w.Log, "listening to the engine", w.listen) })
	defer w.work.Wait()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.woken:
			next.Reset(debounce)
		case <-next.C:
			w.Check(ctx)
			next.Reset(interval)
		}
	}
}

// listen subscribes to events, and again when the stream breaks. A new stream begins where the old one ended; since the
// engine may have lost events in between, everything is marked dirty.
func (w *Monitor) listen(ctx context.Context) {
	since := w.Now()
	for ctx.Err() == nil {
		err := w.Engine.Events(ctx, since, func(e tenants.Event) {
			since = e.At
			w.markDirty(e)
			w.wake()
		})
		if ctx.Err() != nil {
			return
		}
		w.Log.DebugContext(ctx, "the engine's events ended; subscribing again", "error", err)
		w.markAllDirty()
		select {
		case <-ctx.Done():
		case <-time.After(retryDelay):
		}
	}
}

// wake makes the next check come soon.
func (w *Monitor) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// markDirty marks a container's site or role for the next check.
func (w *Monitor) markDirty(e tenants.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if site := e.Labels[tenants.LabelSite]; site != "" {
		w.dirtySites[site] = true
	}
	w.dirtyRoles[e.Labels[tenants.LabelRole]] = true
}

// markAllDirty marks all sites and roles for the next check.
func (w *Monitor) markAllDirty() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.sites {
		w.dirtySites[g.Labels[tenants.LabelSite]] = true
	}
	for _, role := range w.Roles {
		w.dirtyRoles[role] = true
	}
}

// prepare initialises the state from the file.
func (w *Monitor) prepare() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = w.load()
	w.states, w.sites, w.dirtySites = map[string]*componentState{}, nil, map[string]bool{}
	w.dirtyRoles = map[string]bool{}
	w.woken = make(chan struct{}, 1)
}

// Wait waits for the checks and repairs in progress.
func (w *Monitor) Wait() { w.work.Wait() }

// Check observes every container once, starts repairs of the platform, and passes on changed sites.
func (w *Monitor) Check(ctx context.Context) {
	w.mu.Lock()
	first := w.states == nil
	w.mu.Unlock()
	if first {
		w.prepare()
	}
	seen, err := w.Engine.List(ctx, map[string]string{tenants.LabelInstance: w.Instance})
	if err != nil {
		w.Log.DebugContext(ctx, "listing containers failed", "error", err)
		return
	}
	parts := map[string][]tenants.ContainerSummary{}
	var sites []tenants.ContainerSummary
	var strange []tenants.Finding
	for _, g := range seen {
		role, site := g.Labels[tenants.LabelRole], g.Labels[tenants.LabelSite]
		switch {
		case site != "":
			sites = append(sites, g)
		case slices.Contains(w.Roles, role):
			parts[role] = append(parts[role], g)
		case g.Labels["com.docker.compose.project"] == "chatiere-"+w.Instance:
			// An admin added it to the Compose file: neither a component nor unknown.
		default:
			strange = append(strange, unknownFinding(g))
		}
	}
	w.mu.Lock()
	w.unknown = strange
	w.mu.Unlock()
	w.reportSites(ctx, sites)
	w.checkComponents(ctx, parts)
	w.report(ctx)
}

func unknownFinding(g tenants.ContainerSummary) tenants.Finding {
	return tenants.Finding{Area: tenants.AreaPlatform, Subject: g.Name, Code: tenants.FindingUnknownContainer, Level: tenants.LevelAttention}
}

// reportSites passes on the sites whose containers came, went, or changed their state since the last check.
func (w *Monitor) reportSites(ctx context.Context, seen []tenants.ContainerSummary) {
	w.mu.Lock()
	now := make(map[string]tenants.ContainerSummary, len(seen))
	for _, g := range seen {
		now[g.Name] = g
		before, known := w.sites[g.Name]
		if w.sites != nil && (!known || before.ID != g.ID || before.State != g.State || before.Health != g.Health) {
			w.dirtySites[g.Labels[tenants.LabelSite]] = true
		}
	}
	for name, g := range w.sites {
		if _, there := now[name]; !there {
			w.dirtySites[g.Labels[tenants.LabelSite]] = true
		}
	}
	w.sites = now
	ids := slices.Sorted(maps.Keys(w.dirtySites))
	w.dirtySites = map[string]bool{}
	w.mu.Unlock()
	if len(ids) > 0 && w.Sites != nil {
		w.Sites(ctx, ids)
	}
}

// checkComponents checks the components concurrently: one repair must not delay the detection of the next fault.
func (w *Monitor) checkComponents(ctx context.Context, parts map[string][]tenants.ContainerSummary) {
	for _, role := range w.Roles {
		w.mu.Lock()
		m := w.states[role]
		if m == nil {
			m = &componentState{}
			w.states[role] = m
		}
		idle := !m.busy
		m.busy = true
		if idle && w.dirtyRoles[role] {
			m.comparedID = ""
			delete(w.dirtyRoles, role)
		}
		w.mu.Unlock()
		if !idle {
			continue
		}
		w.work.Go(func() {
			defer recovery.Log(w.Log, "checking "+role)
			defer func() { // also after a panic: the next check comes in any case
				w.mu.Lock()
				m.busy = false
				w.mu.Unlock()
			}()
			p := &component{Monitor: w, role: role, componentState: m, listed: parts[role]}
			p.reconcile(ctx)
			w.mu.Lock()
			w.setFindings(m, p.findings)
			m.public = p.publicState()
			again := m.recheck
			w.mu.Unlock()
			w.report(ctx)
			if again {
				time.AfterFunc(retryDelay, w.wake)
			}
		})
	}
}

// setFindings replaces the open findings of a component; w.mu is locked.
func (w *Monitor) setFindings(m *componentState, found []tenants.Finding) {
	for _, f := range found {
		if !slices.ContainsFunc(m.openFindings, func(o tenants.Finding) bool { return o.Code == f.Code }) {
			w.unreported = append(w.unreported, f)
		}
	}
	m.openFindings = found
}

// reportNow opens a finding at once, while its repair is still in progress.
func (w *Monitor) reportNow(ctx context.Context, m *componentState, f tenants.Finding) {
	w.mu.Lock()
	w.setFindings(m, append(slices.Clone(m.openFindings), f))
	w.mu.Unlock()
	w.report(ctx)
}

// Codes are the findings that the monitor opens and ends.
var Codes = []tenants.FindingCode{
	tenants.FindingUnknownContainer, tenants.FindingChangedByHand, tenants.FindingPartChanged, tenants.FindingPartGone,
	tenants.FindingPartStopped, tenants.FindingPartLoop, tenants.FindingPartUnhealthy, tenants.FindingPartIll,
	tenants.FindingPartStuck, tenants.FindingNameTaken, tenants.FindingImageMissing,
}

// reportInterval is how often an unchanged set is stored again, so that its time of observation is recent.
const reportInterval = time.Minute

// report stores the open findings when they changed. Findings that opened and ended while the database was unreachable
// are stored first, so that they appear in the history.
func (w *Monitor) report(ctx context.Context) {
	w.reportMu.Lock()
	defer w.reportMu.Unlock()
	open, unsaid := w.collectFindings()
	key := fmt.Sprint(open)
	if len(unsaid) == 0 && key == w.lastReport && w.Now().Sub(w.reportedAt) < reportInterval {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	scope := tenants.FindingScope{Area: tenants.AreaPlatform, Codes: Codes}
	both := slices.Clone(open)
	for _, f := range unsaid {
		if !slices.ContainsFunc(both, func(o tenants.Finding) bool { return o.Code == f.Code && o.Subject == f.Subject }) {
			both = append(both, f)
		}
	}
	err := w.Findings.Replace(ctx, scope, both)
	if err == nil && len(both) > len(open) {
		err = w.Findings.Replace(ctx, scope, open)
	}
	if err != nil {
		return // the next check reports it
	}
	w.lastReport, w.reportedAt = key, w.Now()
	w.mu.Lock()
	w.unreported = w.unreported[len(unsaid):]
	w.mu.Unlock()
}

// collectFindings returns the open findings, and those that opened since the last report.
func (w *Monitor) collectFindings() (open, unsaid []tenants.Finding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	open = slices.Clone(w.unknown)
	for _, role := range w.Roles {
		if m := w.states[role]; m != nil {
			open = append(open, m.openFindings...)
		}
	}
	return open, slices.Clone(w.unreported)
}
