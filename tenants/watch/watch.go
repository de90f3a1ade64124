// Package watch sees within seconds when a container of the platform or of a site is gone, restarts in a loop, is
// unhealthy, or was changed by hand. The platform's own containers it makes again by itself, from a file on the data root
// that says how each was made, so that it works while the database is the one that is gone. What it sees of sites it
// hands on: repairing them is an operation's. What nobody can mend becomes a finding.
//
// It knows neither Docker nor SQL. Start reading at Watch.Run, then Watch.Look; the judgement on one part is in part.go.
package watch

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

// Engine is what the watch needs of the container engine. Recipes are opaque: the engine's own words for how a container
// was made.
type Engine interface {
	List(ctx context.Context, labels map[string]string) ([]tenants.Glimpse, error)
	// Events tells what happens from an instant on, until ctx ends or the stream breaks.
	Events(ctx context.Context, since time.Time, tell func(tenants.Event)) error
	Inspect(ctx context.Context, name string) (tenants.Container, error)
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string, grace time.Duration) error
	Remove(ctx context.Context, name string) error
	Rename(ctx context.Context, name, to string) error
	Recipe(ctx context.Context, name string) (json.RawMessage, error)
	RecipeLabels(recipe json.RawMessage) (map[string]string, error)
	// Make makes a container as the recipe says and does not start it: ErrConflict when the name is taken, ErrNotFound
	// when the image is gone.
	Make(ctx context.Context, name string, recipe json.RawMessage) error
	// Unlike names what differs between two recipes.
	Unlike(a, b json.RawMessage) ([]string, error)
	LastWords(ctx context.Context, name string, lines int) (string, error)
}

// Findings is where the watch says what it sees.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Watch holds the ports. Its zero values but the ports are the usual paces.
type Watch struct {
	Instance string
	Roles    []string // of the platform, as configured; a part of another role is not made again
	Self     string   // the role that runs the watch: it cannot make itself again
	File     string   // where it is kept how the parts are made
	Engine   Engine
	Findings Findings
	// Sites is told which sites' containers are not as they were at the last look.
	Sites func(ctx context.Context, ids []string)
	Now   func() time.Time
	Log   *slog.Logger

	mu       sync.Mutex
	records  map[string]record // by role
	memories map[string]*memory
	sites    map[string]tenants.Glimpse // by container name, at the last look
	stirred  map[string]bool            // sites with an event since then
	touched  map[string]bool            // roles with an event since their last look
	unsaid   []tenants.Finding          // opened, and not yet handed in
	strange  []tenants.Finding          // containers nobody knows
	woken    chan struct{}
	saying   sync.Mutex // guards said and saidAt
	said     string
	saidAt   time.Time
	work     sync.WaitGroup
}

const (
	// pace is the time between two looks when nothing happens.
	pace = 10 * time.Second
	// settle is how long a look waits after an event: things happen in groups.
	settle = 700 * time.Millisecond
	// soon is when something suspected is looked at again.
	soon = 2 * time.Second
)

// Run watches until ctx ends and waits for the repairs under way.
func (w *Watch) Run(ctx context.Context) {
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
			next.Reset(settle)
		case <-next.C:
			w.Look(ctx)
			next.Reset(pace)
		}
	}
}

// listen subscribes to events, and again when the stream breaks. A new stream begins where the old one ended, and as the
// engine may have forgotten what happened between, everything is looked at anew.
func (w *Watch) listen(ctx context.Context) {
	since := w.Now()
	for ctx.Err() == nil {
		err := w.Engine.Events(ctx, since, func(e tenants.Event) {
			since = e.At
			w.stir(e)
			w.wake()
		})
		if ctx.Err() != nil {
			return
		}
		w.Log.DebugContext(ctx, "the engine's events ended; subscribing anew", "error", err)
		w.forget()
		select {
		case <-ctx.Done():
		case <-time.After(soon):
		}
	}
}

// wake lets the next look come soon.
func (w *Watch) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// stir notes that a container is worth a look.
func (w *Watch) stir(e tenants.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if site := e.Labels[tenants.LabelSite]; site != "" {
		w.stirred[site] = true
	}
	w.touched[e.Labels[tenants.LabelRole]] = true
}

// forget lets everything be looked at anew.
func (w *Watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.sites {
		w.stirred[g.Labels[tenants.LabelSite]] = true
	}
	for _, role := range w.Roles {
		w.touched[role] = true
	}
}

// prepare readies the memory, with what the file says.
func (w *Watch) prepare() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = w.load()
	w.memories, w.sites, w.stirred = map[string]*memory{}, nil, map[string]bool{}
	w.touched = map[string]bool{}
	w.woken = make(chan struct{}, 1)
}

// Wait waits for the looks and repairs under way.
func (w *Watch) Wait() { w.work.Wait() }

// Look looks once at every container, sets repairs of the platform going, and tells of sites.
func (w *Watch) Look(ctx context.Context) {
	w.mu.Lock()
	first := w.memories == nil
	w.mu.Unlock()
	if first {
		w.prepare()
	}
	seen, err := w.Engine.List(ctx, map[string]string{tenants.LabelInstance: w.Instance})
	if err != nil {
		w.Log.DebugContext(ctx, "the watch sees nothing", "error", err)
		return
	}
	parts := map[string][]tenants.Glimpse{}
	var sites []tenants.Glimpse
	var strange []tenants.Finding
	for _, g := range seen {
		role, site := g.Labels[tenants.LabelRole], g.Labels[tenants.LabelSite]
		switch {
		case site != "":
			sites = append(sites, g)
		case slices.Contains(w.Roles, role):
			parts[role] = append(parts[role], g)
		case g.Labels["com.docker.compose.project"] == "chatiere-"+w.Instance:
			// Whoever runs the platform added it to their file: no part of ours, and no stranger.
		default:
			strange = append(strange, unknown(g))
		}
	}
	w.mu.Lock()
	w.strange = strange
	w.mu.Unlock()
	w.tellSites(ctx, sites)
	w.judge(ctx, parts)
	w.say(ctx)
}

func unknown(g tenants.Glimpse) tenants.Finding {
	return tenants.Finding{Area: tenants.AreaPlatform, Subject: g.Name, Code: tenants.FindingUnknownContainer, Level: tenants.LevelAttention}
}

// tellSites hands on the sites whose containers came, went, or changed their state since the last look.
func (w *Watch) tellSites(ctx context.Context, seen []tenants.Glimpse) {
	w.mu.Lock()
	now := make(map[string]tenants.Glimpse, len(seen))
	for _, g := range seen {
		now[g.Name] = g
		before, known := w.sites[g.Name]
		if w.sites != nil && (!known || before.ID != g.ID || before.State != g.State || before.Health != g.Health) {
			w.stirred[g.Labels[tenants.LabelSite]] = true
		}
	}
	for name, g := range w.sites {
		if _, there := now[name]; !there {
			w.stirred[g.Labels[tenants.LabelSite]] = true
		}
	}
	w.sites = now
	ids := slices.Sorted(maps.Keys(w.stirred))
	w.stirred = map[string]bool{}
	w.mu.Unlock()
	if len(ids) > 0 && w.Sites != nil {
		w.Sites(ctx, ids)
	}
}

// judge looks at each part beside the others: one repair must not keep the next from being noticed.
func (w *Watch) judge(ctx context.Context, parts map[string][]tenants.Glimpse) {
	for _, role := range w.Roles {
		w.mu.Lock()
		m := w.memories[role]
		if m == nil {
			m = &memory{}
			w.memories[role] = m
		}
		idle := !m.busy
		m.busy = true
		if idle && w.touched[role] {
			m.compared = ""
			delete(w.touched, role)
		}
		w.mu.Unlock()
		if !idle {
			continue
		}
		w.work.Go(func() {
			defer recovery.Log(w.Log, "looking at "+role)
			defer func() { // also after a panic: the next look comes in any case
				w.mu.Lock()
				m.busy = false
				w.mu.Unlock()
			}()
			p := &part{Watch: w, role: role, memory: m, there: parts[role]}
			p.look(ctx)
			w.mu.Lock()
			w.keep(m, p.found)
			m.shown = p.display()
			again := m.suspect
			w.mu.Unlock()
			w.say(ctx)
			if again {
				time.AfterFunc(soon, w.wake)
			}
		})
	}
}

// keep replaces what is open about a part; w.mu is held.
func (w *Watch) keep(m *memory, found []tenants.Finding) {
	for _, f := range found {
		if !slices.ContainsFunc(m.open, func(o tenants.Finding) bool { return o.Code == f.Code }) {
			w.unsaid = append(w.unsaid, f)
		}
	}
	m.open = found
}

// note opens a finding at once, while its repair is still under way.
func (w *Watch) note(ctx context.Context, m *memory, f tenants.Finding) {
	w.mu.Lock()
	w.keep(m, append(slices.Clone(m.open), f))
	w.mu.Unlock()
	w.say(ctx)
}

// Codes are the findings that the watch opens and ends.
var Codes = []tenants.FindingCode{
	tenants.FindingUnknownContainer, tenants.FindingChangedByHand, tenants.FindingPartChanged, tenants.FindingPartGone,
	tenants.FindingPartStopped, tenants.FindingPartLoop, tenants.FindingPartUnhealthy, tenants.FindingPartIll,
	tenants.FindingPartStuck, tenants.FindingNameTaken, tenants.FindingImageMissing,
}

// again is how often an unchanged set is handed in, so that it is seen to be still so.
const again = time.Minute

// say hands in what is open, when it has changed. What opened and ended while nobody could write it down, such as the end
// of the database itself, is handed in first, so that people read that it was.
func (w *Watch) say(ctx context.Context) {
	w.saying.Lock()
	defer w.saying.Unlock()
	open, unsaid := w.told()
	key := fmt.Sprint(open)
	if len(unsaid) == 0 && key == w.said && w.Now().Sub(w.saidAt) < again {
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
		return // the next look says it
	}
	w.said, w.saidAt = key, w.Now()
	w.mu.Lock()
	w.unsaid = w.unsaid[len(unsaid):]
	w.mu.Unlock()
}

// told returns what is open now, and what opened since it was last handed in.
func (w *Watch) told() (open, unsaid []tenants.Finding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	open = slices.Clone(w.strange)
	for _, role := range w.Roles {
		if m := w.memories[role]; m != nil {
			open = append(open, m.open...)
		}
	}
	return open, slices.Clone(w.unsaid)
}
