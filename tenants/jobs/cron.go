package jobs

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
	// cronPoll is how often RunCron checks which sites are due.
	cronPoll = 5 * time.Second
	// cronMaxFailures is how many times in a row a site's tasks may fail before CronFaults reports it.
	cronMaxFailures = 3
)

// task is the state of one site's scheduled tasks.
type task struct {
	period   int64 // the last one that began
	running  bool
	failures int // in a row
	fault    error
	ended    bool // a turn has ended since we began
	report   taskReport
}

// RunCron runs the applications' scheduled tasks until ctx ends, so that no visitor's request has to. Each site has its own
// offset within its template's interval, so that they do not all start together; tasks that take long delay only their own
// site's next run, as long as there are slots. It returns when the last one has ended.
func (u *Jobs) RunCron(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, maxParallel)
	tick := time.NewTicker(cronPoll)
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
					err := callRecovered(ctx, s, func(ctx context.Context, s tenants.Site) (err error) {
						output, err = u.Hooks.RunHook(ctx, s, "cron")
						return err
					})
					<-slots
					u.cronEnded(ctx, s, output, err)
				case <-ctx.Done():
					u.cronEnded(ctx, s, "", ctx.Err())
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

// dueTasks returns the sites that are due, marked as running. A new site waits for its next period.
func (u *Jobs) dueTasks(ctx context.Context) ([]tenants.Site, error) {
	sites, err := u.Records.LiveSites(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing live sites: %w", err)
	}
	sites = filter(sites, func(s tenants.Site) bool { return s.State == tenants.StateReady })
	every := map[string]time.Duration{}
	for _, s := range sites {
		d, err := u.Definition(ctx, s)
		if err == nil && d.CronEvery > 0 { // one without a release is told elsewhere
			every[s.ID] = d.CronEvery
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	known, now := u.tasks, u.Now()
	u.tasks = make(map[string]*task, len(sites))
	var due []tenants.Site
	for _, s := range sites {
		if every[s.ID] == 0 {
			continue
		}
		t, at := known[s.ID], period(now, s.ID, every[s.ID])
		if t == nil {
			t = &task{period: at}
		}
		u.tasks[s.ID] = t
		if t.period != at && !t.running {
			t.period, t.running = at, true
			due = append(due, s)
		}
	}
	return due, nil
}

// cronEnded records the result of a site's tasks.
func (u *Jobs) cronEnded(ctx context.Context, s tenants.Site, output string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.tasks[s.ID]
	if t == nil {
		return // the site ended meanwhile
	}
	t.running = false
	switch {
	case ctx.Err() != nil: // interrupted by our own shutdown: no result
	case err == nil:
		t.failures, t.fault = 0, nil
		t.ended, t.report = true, parseTaskReport(output)
	default:
		t.ended = true
		t.failures++
		t.fault = err
		u.Log.ErrorContext(ctx, "a site's scheduled tasks failed", "site", s.ID, "host", s.Host, "times", t.failures, "error", err)
	}
}

// CronFaults reports, as findings, the sites' tasks that keep failing and the processes of theirs that were killed. It
// returns an error while a site's tasks as a whole have failed several times in a row.
func (u *Jobs) CronFaults(ctx context.Context) error {
	scope, seen, err := u.taskFindings()
	return errors.Join(err, u.Findings.Replace(ctx, scope, seen))
}

// taskFindings covers only the sites whose tasks have run since the start: after a restart, earlier findings stay open until
// the site's next run.
func (u *Jobs) taskFindings() (scope tenants.FindingScope, seen []tenants.Finding, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	scope = tenants.FindingScope{Area: tenants.AreaSite, Subjects: []string{}, Codes: taskCodes}
	var faults []error
	for _, id := range slices.Sorted(maps.Keys(u.tasks)) {
		t := u.tasks[id]
		if !t.ended {
			continue
		}
		scope.Subjects = append(scope.Subjects, id)
		seen = append(seen, t.report.findings(id)...)
		if t.failures >= cronMaxFailures {
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

// period numbers the intervals of the given length; each site has its own offset.
func period(at time.Time, siteID string, every time.Duration) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(siteID)) // never fails
	return (at.UnixNano() + int64(h.Sum64()%uint64(every))) / int64(every)
}
