package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatiere/tenants"
)

// componentState is the state of one component between checks. Its own goroutine owns it while busy is set.
type componentState struct {
	busy         bool
	seen         bool      // by this watch, at least once
	recheck      bool      // to be looked at again soon
	state        string    // of the container at the last look
	since        time.Time // when that state, or the absence, was first seen
	comparedID   string    // id of the container whose making was compared
	refusedID    string    // id of the container that could not be put back
	recreated    bool      // by us, since it was last compared
	openFindings []tenants.Finding
	public       State // what States tells, under the watch's lock

	unhealthySince time.Time // unhealthy since
	restartedAt    time.Time // restarted by us for being unhealthy
	restarts       []restart
	glimpse        tenants.ContainerSummary
	container      tenants.Container
}

type restart struct {
	at    time.Time
	count int
}

const (
	// missingGrace is how long a component must be missing before it is recreated: tools that replace a container free its
	// name for an instant.
	missingGrace = 2 * time.Second
	// startupGrace is how long a component that was never observed may be missing: the platform may just be starting.
	startupGrace = 2 * time.Minute
	// stoppedGrace is how long a component may be stopped before it is reported: tools stop before they start.
	stoppedGrace = 10 * time.Second
	// repairTimeout bounds one repair of one component.
	repairTimeout = 5 * time.Minute
	// stopTimeout is how long a component may take to stop before it is killed.
	stopTimeout = time.Minute
)

// component is one check of one platform container.
type component struct {
	*Monitor
	*componentState
	role     string
	listed   []tenants.ContainerSummary
	findings []tenants.Finding
}

func (p *component) containerName() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(p.records[p.role].Name, "chatiere-"+p.Instance+"-"+p.role)
}

// addFinding adds a finding about the component.
func (p *component) addFinding(code tenants.FindingCode, level tenants.Level, args ...string) tenants.Finding {
	f := tenants.Finding{Area: tenants.AreaPlatform, Subject: p.role, Code: code, Level: level, Args: map[string]string{"container": p.containerName()}}
	for i := 0; i+1 < len(args); i += 2 {
		f.Args[args[i]] = args[i+1]
	}
	p.findings = append(p.findings, f)
	return f
}

// reconcile checks the component and repairs it if its configuration is recorded.
func (p *component) reconcile(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, repairTimeout)
	defer cancel()
	p.recheck = false
	var err error
	switch current, old := p.containers(); {
	case current == nil && old == nil:
		p.setState("gone")
		err = p.handleMissing(ctx)
	case old != nil:
		err = p.resumeReplacement(ctx, current, *old)
	default:
		err = p.checkContainer(ctx, *current)
	}
	if err != nil && ctx.Err() == nil {
		p.Log.ErrorContext(ctx, "checking a platform container failed", "role", p.role, "error", err)
		p.addFinding(tenants.FindingPartStuck, tenants.LevelTrouble, "error", clip(err.Error()))
		p.recheck = true
	}
}

// containers returns the component's container, and its predecessor if a replacement was interrupted.
func (p *component) containers() (current, old *tenants.ContainerSummary) {
	for i, g := range p.listed {
		switch {
		case strings.HasSuffix(g.Name, tenants.OldSuffix):
			old = &p.listed[i]
		case current == nil || g.Name == p.containerName():
			current = &p.listed[i]
		}
	}
	return current, old
}

// setState records the state and since when it lasts.
func (p *component) setState(state string) {
	if p.state != state || p.since.IsZero() {
		p.state, p.since = state, p.Now()
	}
}

func (p *component) hasLasted(d time.Duration) bool {
	if p.Now().Sub(p.since) >= d {
		return true
	}
	p.recheck = true
	return false
}

// handleMissing recreates a component that does not exist.
func (p *component) handleMissing(ctx context.Context) error {
	p.glimpse = tenants.ContainerSummary{State: "gone"}
	p.mu.Lock()
	r, known := p.records[p.role]
	p.mu.Unlock()
	wait := missingGrace
	if !p.seen {
		wait = startupGrace
	}
	if !p.hasLasted(wait) || !known || p.role == p.Self {
		return nil
	}
	gone := p.addFinding(tenants.FindingPartGone, tenants.LevelTrouble)
	p.reportNow(ctx, p.componentState, gone)
	p.Log.WarnContext(ctx, "a platform container is gone; recreating it", "role", p.role, "container", r.Name)
	if reported, err := p.create(ctx, r.Name, r); err != nil || reported {
		return err
	}
	if err := p.Engine.Start(ctx, r.Name); err != nil {
		return err
	}
	p.comparedID, p.recreated, p.recheck = "", true, true
	return nil
}

// create makes the container, and reports whether it added a finding about why it cannot be made.
func (p *component) create(ctx context.Context, name string, r record) (reported bool, err error) {
	err = p.Engine.CreateFromConfig(ctx, name, r.Config)
	switch {
	case errors.Is(err, tenants.ErrConflict):
		p.addFinding(tenants.FindingNameTaken, tenants.LevelTrouble)
		return true, nil
	case errors.Is(err, tenants.ErrNotFound):
		p.addFinding(tenants.FindingImageMissing, tenants.LevelTrouble)
		return true, nil
	}
	return false, err
}

// checkContainer checks a component that exists.
func (p *component) checkContainer(ctx context.Context, g tenants.ContainerSummary) error {
	p.seen, p.glimpse = true, g
	p.setState(g.State)
	switch g.State {
	case "created":
		if p.hasLasted(stoppedGrace) { // its creator, perhaps this worker, was killed before starting it
			return p.Engine.Start(ctx, g.Name)
		}
		return nil
	case "exited", "dead", "paused":
		if p.hasLasted(stoppedGrace) {
			act := map[string]string{"paused": "docker unpause"}[g.State]
			p.addFinding(tenants.FindingPartStopped, tenants.LevelTrouble, "command", cmp.Or(act, "docker start")+" "+g.Name)
		}
		return nil
	}
	if err := p.checkRestarts(ctx, g); err != nil {
		return err
	}
	if g.State != "running" {
		return nil
	}
	if err := p.checkHealth(ctx, g); err != nil {
		return err
	}
	return p.checkDrift(ctx, g)
}

const (
	// loopPeriod and loopCount: this many restarts within this period are a loop.
	loopPeriod = 2 * time.Minute
	loopCount  = 3
)

// checkRestarts reports a component in a restart loop with its last log lines; the engine keeps restarting it.
func (p *component) checkRestarts(ctx context.Context, g tenants.ContainerSummary) error {
	c, err := p.Engine.Inspect(ctx, g.ID)
	if err != nil {
		return ignoreNotFound(err)
	}
	p.container = c
	now := p.Now()
	if n := len(p.restarts); n > 0 && c.RestartCount < p.restarts[n-1].count {
		p.restarts = nil // another container, or started by hand
	}
	p.restarts = append(p.restarts, restart{now, c.RestartCount})
	for len(p.restarts) > 1 && now.Sub(p.restarts[0].at) > loopPeriod {
		p.restarts = p.restarts[1:]
	}
	times := c.RestartCount - p.restarts[0].count
	if times < loopCount && (g.State != "restarting" || c.RestartCount < loopCount) {
		return nil
	}
	words, err := p.Engine.LogTail(ctx, g.ID, 5)
	if err != nil {
		words = err.Error()
	}
	p.addFinding(tenants.FindingPartLoop, tenants.LevelTrouble, "words", clip(words))
	return nil
}

const (
	// unhealthyTimeout is how long a component may be unhealthy before it is restarted. Databases get longer: they may be
	// recovering, which a restart would only begin again.
	unhealthyTimeout         = 2 * time.Minute
	databaseUnhealthyTimeout = 10 * time.Minute
	// restartCooldown is the minimum time between two restarts.
	restartCooldown = time.Hour
)

// checkHealth restarts a component once that has been unhealthy for a while.
func (p *component) checkHealth(ctx context.Context, g tenants.ContainerSummary) error {
	if g.Health != "unhealthy" {
		p.unhealthySince = time.Time{}
		return nil
	}
	now := p.Now()
	if p.unhealthySince.IsZero() {
		p.unhealthySince = now
	}
	timeout := unhealthyTimeout
	if strings.HasPrefix(p.role, "mariadb") {
		timeout = databaseUnhealthyTimeout
	}
	if !p.restartedAt.IsZero() && now.Sub(p.restartedAt) < restartCooldown {
		p.addFinding(tenants.FindingPartIll, tenants.LevelTrouble)
		return nil
	}
	p.addFinding(tenants.FindingPartUnhealthy, tenants.LevelAttention)
	if now.Sub(p.unhealthySince) < timeout || p.role == p.Self {
		return nil
	}
	p.restartedAt, p.unhealthySince = now, time.Time{}
	p.Log.WarnContext(ctx, "a platform container has been unhealthy for a while; restarting it", "role", p.role)
	if err := p.Engine.Stop(ctx, g.Name, stopTimeout); err != nil {
		return err
	}
	return p.Engine.Start(ctx, g.Name)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, tenants.ErrNotFound) {
		return nil // the next check handles it
	}
	return err
}

// clip shortens a text for a page.
func clip(words string) string {
	const most = 400
	words = strings.ToValidUTF8(strings.Join(strings.Fields(words), " "), "")
	if r := []rune(words); len(r) > most {
		words = "…" + string(r[len(r)-most:])
	}
	return words
}

// errUnhealthy is a recreated container that does not become healthy.
var errUnhealthy = errors.New("container does not become healthy")

// healthyTimeout is how long a recreated component may take to become healthy; Keycloak takes longer than the others.
const (
	healthyTimeout     = 90 * time.Second
	slowHealthyTimeout = 200 * time.Second
	healthyPoll        = 500 * time.Millisecond
)

// awaitHealthy waits until a started container is healthy.
func (p *component) awaitHealthy(ctx context.Context, name string) error {
	limit := healthyTimeout
	if p.role == "keycloak" {
		limit = slowHealthyTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		c, err := p.Engine.Inspect(ctx, name)
		if err == nil && c.Running() && (c.Health == "" || c.Health == "healthy") {
			return nil
		}
		if err == nil && (c.RestartCount >= loopCount || c.Health == "unhealthy") {
			return fmt.Errorf("%w: state %s, health %s, %d restarts", errUnhealthy, c.State, c.Health, c.RestartCount)
		}
		select {
		case <-ctx.Done():
			return errors.Join(errUnhealthy, err, ctx.Err())
		case <-time.After(healthyPoll):
		}
	}
}

// publicState returns the result of the check for States; p.mu is locked.
func (p *component) publicState() State {
	s := State{Container: cmp.Or(p.glimpse.Name, p.records[p.role].Name), State: p.glimpse.State, Health: p.glimpse.Health}
	if p.glimpse.State == "running" && p.container.ID == p.glimpse.ID {
		s.Since, s.Restarts = p.container.StartedAt, p.container.RestartCount
	}
	return s
}
