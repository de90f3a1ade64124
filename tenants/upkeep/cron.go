package upkeep

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
)

const (
	// cronLook is how often RunCron looks whose turn it is.
	cronLook = 5 * time.Second
	// cronPatience is how often in a row a site's tasks may fail before CronFaults tells.
	cronPatience = 3
)

// task is what we remember of one site's scheduled tasks.
type task struct {
	turn     int64 // the last one that came
	running  bool
	failures int // in a row
	fault    error
	reported bool // a turn has ended since we began
	report   taskReport
}

// RunCron runs the applications' scheduled tasks, so that no visitor has to, until ctx ends. Each site has its own instant
// within the time that its template names, so that five hundred do not wake together; tasks that take long hold up their
// own site's next turn and no other's, as long as there are slots. It returns when the last one has ended.
func (u *Upkeep) RunCron(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, abreast)
	tick := time.NewTicker(cronLook)
	defer tick.Stop()
	for {
		due, err := u.dueTasks(ctx)
		if err != nil && ctx.Err() == nil {
			u.Log.ErrorContext(ctx, "scheduled tasks of sites wait", "error", err)
		}
		for _, s := range due {
			done := make(chan struct{})
			running.Go(func() {
				defer close(done)
				select {
				case slots <- struct{}{}:
					var output string
					err := guarded(ctx, s, func(ctx context.Context, s tenants.Site) (err error) {
						output, err = u.Hooks.RunHook(ctx, s, "cron")
						return err
					})
					<-slots
					u.ran(ctx, s, output, err)
				case <-ctx.Done():
					u.ran(ctx, s, "", ctx.Err())
				}
			})
			select {
			case <-done:
			case <-time.After(stagger):
			case <-ctx.Done():
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// dueTasks returns the sites whose turn has come, marked as running. A site that is new to us waits for its next turn.
func (u *Upkeep) dueTasks(ctx context.Context) ([]tenants.Site, error) {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing live sites: %w", err)
	}
	sites = only(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady })
	u.mu.Lock()
	defer u.mu.Unlock()
	known, now := u.tasks, u.Now()
	u.tasks = make(map[string]*task, len(sites))
	var due []tenants.Site
	for _, s := range sites {
		every, err := u.CronEvery(s)
		if err != nil || every <= 0 {
			continue // a template that is gone is told elsewhere
		}
		t, at := known[s.ID], turn(now, s.ID, every)
		if t == nil {
			t = &task{turn: at}
		}
		u.tasks[s.ID] = t
		if t.turn != at && !t.running {
			t.turn, t.running = at, true
			due = append(due, s)
		}
	}
	return due, nil
}

// ran notes how a site's tasks went.
func (u *Upkeep) ran(ctx context.Context, s tenants.Site, output string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.tasks[s.ID]
	if t == nil {
		return // the site ended meanwhile
	}
	t.running = false
	switch {
	case ctx.Err() != nil: // cut short by our own end: that says nothing of the site
	case err == nil:
		t.failures, t.fault = 0, nil
		t.reported, t.report = true, parseTaskReport(output)
	default:
		t.reported = true
		t.failures++
		t.fault = err
		u.Log.ErrorContext(ctx, "a site's scheduled tasks failed", "site", s.ID, "host", s.Host, "times", t.failures, "error", err)
	}
}

// CronFaults reports, as findings, the sites' tasks that keep failing and the processes of theirs that were killed. It
// returns an error while a site's tasks as a whole have failed several times in a row.
func (u *Upkeep) CronFaults(ctx context.Context) error {
	scope, seen, err := u.taskFindings()
	return errors.Join(err, u.Findings.Replace(ctx, scope, seen))
}

// taskFindings is limited to the sites that we have heard from, as long as there are others: after a restart of ours, what
// was found before stays until the site's next turn.
func (u *Upkeep) taskFindings() (scope tenants.FindingScope, seen []tenants.Finding, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	scope = tenants.FindingScope{Area: tenants.AreaSite, Subjects: []string{}, Codes: taskCodes}
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(u.tasks)) {
		t := u.tasks[id]
		if !t.reported {
			continue
		}
		scope.Subjects = append(scope.Subjects, id)
		seen = append(seen, t.report.findings(id)...)
		if t.failures >= cronPatience {
			faults = append(faults, fmt.Errorf("site %s: %w", id, t.fault))
			seen = append(seen, tenants.Finding{
				Area: tenants.AreaSite, Subject: id, Code: tenants.FindingTasksFail, Level: tenants.LevelTrouble,
			})
		}
	}
	if u.tasks != nil && len(scope.Subjects) == len(u.tasks) {
		scope.Subjects = nil // those that ended meanwhile as well
	}
	return scope, seen, errors.Join(faults...)
}

// turn numbers the stretches of the given length as a site counts them: each begins at an instant of its own.
func turn(at time.Time, siteID string, every time.Duration) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(siteID)) // never fails
	return (at.UnixNano() + int64(h.Sum64()%uint64(every))) / int64(every)
}
