package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatiere/tenants"
)

// memory is what the watch remembers of one part between looks. The part's own goroutine has it while busy is set.
type memory struct {
	busy     bool
	seen     bool      // by this watch, at least once
	suspect  bool      // to be looked at again soon
	state    string    // of the container at the last look
	since    time.Time // when that state, or the absence, was first seen
	compared string    // id of the container whose making was compared
	refused  string    // id of the container that could not be put back
	made     bool      // by us, since it was last compared
	open     []tenants.Finding
	shown    State // what States tells, under the watch's lock

	illSince  time.Time // unhealthy since
	helped    time.Time // restarted by us for being unhealthy
	restarts  []restart
	glimpse   tenants.Glimpse
	container tenants.Container
}

type restart struct {
	at    time.Time
	count int
}

const (
	// absence is how long a part must be missing before it is made again: tools that replace a container part with its
	// name for an instant.
	absence = 2 * time.Second
	// arrival is how long a part that this watch has never seen is waited for: the platform may just be coming up.
	arrival = 2 * time.Minute
	// stopping is how long a part may be stopped before it is said: tools stop before they start.
	stopping = 10 * time.Second
	// mending bounds one repair of one part.
	mending = 5 * time.Minute
	// grace is what a part gets to end by itself, before it is killed.
	grace = time.Minute
)

// part is one look at one part.
type part struct {
	*Watch
	*memory
	role  string
	there []tenants.Glimpse
	found []tenants.Finding
}

func (p *part) name() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(p.records[p.role].Name, "chatiere-"+p.Instance+"-"+p.role)
}

// find says something about the part.
func (p *part) find(code tenants.FindingCode, level tenants.Level, args ...string) tenants.Finding {
	f := tenants.Finding{Area: tenants.AreaPlatform, Subject: p.role, Code: code, Level: level, Args: map[string]string{"container": p.name()}}
	for i := 0; i+1 < len(args); i += 2 {
		f.Args[args[i]] = args[i+1]
	}
	p.found = append(p.found, f)
	return f
}

// look judges the part, and mends it where the records cover what is wrong.
func (p *part) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, mending)
	defer cancel()
	p.suspect = false
	var err error
	switch current, old := p.parted(); {
	case current == nil && old == nil:
		p.become("gone")
		err = p.gone(ctx)
	case old != nil:
		err = p.interrupted(ctx, current, *old)
	default:
		err = p.present(ctx, *current)
	}
	if err != nil && ctx.Err() == nil {
		p.Log.ErrorContext(ctx, "looking after a part of the platform failed", "role", p.role, "error", err)
		p.find(tenants.FindingPartStuck, tenants.LevelTrouble, "error", clip(err.Error()))
		p.suspect = true
	}
}

// parted finds the part, and its predecessor if a replacement was cut short.
func (p *part) parted() (current, old *tenants.Glimpse) {
	for i, g := range p.there {
		switch {
		case strings.HasSuffix(g.Name, tenants.OldSuffix):
			old = &p.there[i]
		case current == nil || g.Name == p.name():
			current = &p.there[i]
		}
	}
	return current, old
}

// become notes a state and since when it lasts.
func (p *part) become(state string) {
	if p.state != state || p.since.IsZero() {
		p.state, p.since = state, p.Now()
	}
}

func (p *part) lasts(d time.Duration) bool {
	if p.Now().Sub(p.since) >= d {
		return true
	}
	p.suspect = true
	return false
}

// gone makes a part again that is nowhere.
func (p *part) gone(ctx context.Context) error {
	p.glimpse = tenants.Glimpse{State: "gone"}
	p.mu.Lock()
	r, known := p.records[p.role]
	p.mu.Unlock()
	patience := absence
	if !p.seen {
		patience = arrival
	}
	if !p.lasts(patience) || !known || p.role == p.Self {
		return nil
	}
	gone := p.find(tenants.FindingPartGone, tenants.LevelTrouble)
	p.note(ctx, p.memory, gone)
	p.Log.WarnContext(ctx, "a container of the platform is gone; making it again", "role", p.role, "container", r.Name)
	if said, err := p.make(ctx, r.Name, r); err != nil || said {
		return err
	}
	if err := p.Engine.Start(ctx, r.Name); err != nil {
		return err
	}
	p.compared, p.made, p.suspect = "", true, true
	return nil
}

// make makes the container, and reports whether it said why that cannot be.
func (p *part) make(ctx context.Context, name string, r record) (said bool, err error) {
	err = p.Engine.Make(ctx, name, r.Recipe)
	switch {
	case errors.Is(err, tenants.ErrConflict):
		p.find(tenants.FindingNameTaken, tenants.LevelTrouble)
		return true, nil
	case errors.Is(err, tenants.ErrNotFound):
		p.find(tenants.FindingImageMissing, tenants.LevelTrouble)
		return true, nil
	}
	return false, err
}

// present judges a part that is there.
func (p *part) present(ctx context.Context, g tenants.Glimpse) error {
	p.seen, p.glimpse = true, g
	p.become(g.State)
	switch g.State {
	case "created":
		if p.lasts(stopping) { // whoever made it, we perhaps, was killed before starting it
			return p.Engine.Start(ctx, g.Name)
		}
		return nil
	case "exited", "dead", "paused":
		if p.lasts(stopping) {
			act := map[string]string{"paused": "docker unpause"}[g.State]
			p.find(tenants.FindingPartStopped, tenants.LevelTrouble, "command", cmp.Or(act, "docker start")+" "+g.Name)
		}
		return nil
	}
	if err := p.loop(ctx, g); err != nil {
		return err
	}
	if g.State != "running" {
		return nil
	}
	if err := p.health(ctx, g); err != nil {
		return err
	}
	return p.compare(ctx, g)
}

const (
	// loopSpan and loopCount: so many restarts within so long are a loop.
	loopSpan  = 2 * time.Minute
	loopCount = 3
)

// loop tells of a part that ends again and again. Its engine starts it anew each time: all we can do is say its last words.
func (p *part) loop(ctx context.Context, g tenants.Glimpse) error {
	c, err := p.Engine.Inspect(ctx, g.ID)
	if err != nil {
		return absent(err)
	}
	p.container = c
	now := p.Now()
	if n := len(p.restarts); n > 0 && c.RestartCount < p.restarts[n-1].count {
		p.restarts = nil // another container, or started by hand
	}
	p.restarts = append(p.restarts, restart{now, c.RestartCount})
	for len(p.restarts) > 1 && now.Sub(p.restarts[0].at) > loopSpan {
		p.restarts = p.restarts[1:]
	}
	times := c.RestartCount - p.restarts[0].count
	if times < loopCount && (g.State != "restarting" || c.RestartCount < loopCount) {
		return nil
	}
	words, err := p.Engine.LastWords(ctx, g.ID, 5)
	if err != nil {
		words = err.Error()
	}
	p.find(tenants.FindingPartLoop, tenants.LevelTrouble, "words", clip(words))
	return nil
}

const (
	// illness is how long a part may be unhealthy before it is started anew, and databases longer: they may be mending
	// themselves, which a restart would only begin again.
	illness         = 2 * time.Minute
	databaseIllness = 10 * time.Minute
	// relapse is after how long a restart may be tried again.
	relapse = time.Hour
)

// health starts a part anew, once, that has been unhealthy for a while.
func (p *part) health(ctx context.Context, g tenants.Glimpse) error {
	if g.Health != "unhealthy" {
		p.illSince = time.Time{}
		return nil
	}
	now := p.Now()
	if p.illSince.IsZero() {
		p.illSince = now
	}
	patience := illness
	if strings.HasPrefix(p.role, "mariadb") {
		patience = databaseIllness
	}
	if !p.helped.IsZero() && now.Sub(p.helped) < relapse {
		p.find(tenants.FindingPartIll, tenants.LevelTrouble)
		return nil
	}
	p.find(tenants.FindingPartUnhealthy, tenants.LevelAttention)
	if now.Sub(p.illSince) < patience || p.role == p.Self {
		return nil
	}
	p.helped, p.illSince = now, time.Time{}
	p.Log.WarnContext(ctx, "a container of the platform has been unhealthy for a while; starting it anew", "role", p.role)
	if err := p.Engine.Stop(ctx, g.Name, grace); err != nil {
		return err
	}
	return p.Engine.Start(ctx, g.Name)
}

func absent(err error) error {
	if errors.Is(err, tenants.ErrNotFound) {
		return nil // the next look sees it gone
	}
	return err
}

// clip keeps words short enough for a page.
func clip(words string) string {
	const most = 400
	words = strings.ToValidUTF8(strings.Join(strings.Fields(words), " "), "")
	if r := []rune(words); len(r) > most {
		words = "…" + string(r[len(r)-most:])
	}
	return words
}

// errIll is a container made again that does not get well.
var errIll = errors.New("it does not get well")

// wellTime is what a part made again gets to be well: Keycloak needs most of it.
const (
	wellTime     = 90 * time.Second
	slowWellTime = 200 * time.Second
	wellPoll     = 500 * time.Millisecond
)

// await waits until a started container is well.
func (p *part) await(ctx context.Context, name string) error {
	limit := wellTime
	if p.role == "keycloak" {
		limit = slowWellTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		c, err := p.Engine.Inspect(ctx, name)
		if err == nil && c.Running() && (c.Health == "" || c.Health == "healthy") {
			return nil
		}
		if err == nil && (c.RestartCount >= loopCount || c.Health == "unhealthy") {
			return fmt.Errorf("%w: state %s, health %s, %d restarts", errIll, c.State, c.Health, c.RestartCount)
		}
		select {
		case <-ctx.Done():
			return errors.Join(errIll, err, ctx.Err())
		case <-time.After(wellPoll):
		}
	}
}

// display is the look as others are told of it; p.mu is held.
func (p *part) display() State {
	s := State{Container: cmp.Or(p.glimpse.Name, p.records[p.role].Name), State: p.glimpse.State, Health: p.glimpse.Health}
	if p.glimpse.State == "running" && p.container.ID == p.glimpse.ID {
		s.Since, s.Restarts = p.container.StartedAt, p.container.RestartCount
	}
	return s
}
