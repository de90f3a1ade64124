package provision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
	"chatiere/tenants/recovery"
)

// Reconciler compares what exists with the records, and repairs by operations, which wait for other operations on the site.
// What has no record is reported and never removed: a worker with an old database must not be able to delete live sites.
// Orphans are in orphans.go and groups.go, missing parts in missing.go.
type Reconciler struct {
	*Plans
	Queue     operations.Queue
	Registry  *operations.Registry
	Inventory Inventory
	Nudge     func()
	Findings  Findings // nil: what it finds is only logged
	// Silent returns since when a site's container, not its application, has not answered; zero: it answers, or was not
	// checked yet.
	Silent func(siteID string) time.Time

	mu       sync.Mutex // one round, or one look at some sites, at a time
	reported map[string]bool
	rounds   int
	found    []tenants.Finding // in this round or look
	refused  map[string]bool   // sites whose last repair failed not long ago
}

// Findings stores the findings about what the reconciler cannot repair.
type Findings interface {
	Replace(ctx context.Context, scope tenants.FindingScope, seen []tenants.Finding) error
}

// Codes are the findings that the reconciler opens and ends, all about sites.
var Codes = []tenants.FindingCode{
	tenants.FindingSiteLost, tenants.FindingSiteNotRepaired, tenants.FindingSiteNotReplaced, tenants.FindingSiteNameTaken,
	tenants.FindingSiteTemplate,
	tenants.FindingSiteIll, tenants.FindingSiteUnknown,
}

const (
	// repairPause is how long a site is left alone after a repair that failed, so that history stays readable.
	repairPause = 10 * time.Minute
	// replacePause is the same for one that runs, and was only to be replaced: each try costs its visitors some seconds.
	replacePause = 24 * time.Hour
	// silentTimeout is how long a container may be silent before it is restarted, restartCooldown when that is tried again.
	silentTimeout   = 2 * time.Minute
	restartCooldown = time.Hour
	// deepRounds: in each round every so many-th site's container is compared in full; what was changed by hand is seen
	// by the watch at once, this finds what nobody told.
	deepRounds = 5
)

// Reconcile makes one round. It continues after a failure with one site and returns all failures together.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found, r.rounds = nil, r.rounds+1
	// The records before everything else: what a site that is ready now owns was made before, so it cannot be missed
	// below merely for being young. What is younger than the records is checked once more before it counts as an orphan.
	sites, err := r.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	there, err := r.observe(ctx)
	if err != nil {
		return err
	}
	faults := there.faults
	for i, s := range sites {
		faults = append(faults, r.callRecovered(func() error { return r.reconcileSite(ctx, s, there, (i+r.rounds)%deepRounds == 0) }))
		delete(there.sites, s.ID)
	}
	faults = append(faults, r.updates(ctx, sites))
	for _, id := range there.ids() {
		faults = append(faults, r.callRecovered(func() error { return r.handleOrphan(ctx, id, there.sites[id]) }))
	}
	// Groups last: Keycloak may be slow to say that it is not there.
	faults = append(faults, r.report(ctx, nil), r.Routes.Publish(ctx), r.groups(ctx))
	return errors.Join(faults...)
}

// ReconcileSites checks some sites at once, after events of their containers. Orphans are left to the round.
func (r *Reconciler) ReconcileSites(ctx context.Context, ids []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = nil
	var faults []error
	var looked []string
	for _, id := range ids {
		s, err := r.Records.Site(ctx, id)
		if errors.Is(err, tenants.ErrNotFound) || err == nil && !s.State.Live() {
			continue
		}
		if err == nil {
			err = r.callRecovered(func() error { return r.reconcileOne(ctx, s) })
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("looking at site %s: %w", id, err))
			continue
		}
		looked = append(looked, id)
	}
	return errors.Join(append(faults, r.report(ctx, looked))...)
}

// callRecovered calls fn for one site and turns a panic into an error, so that it does not affect the other sites.
func (r *Reconciler) callRecovered(fn func() error) (err error) {
	defer recovery.Error(&err)
	return fn()
}

func (r *Reconciler) reconcileOne(ctx context.Context, s tenants.Site) error {
	there := &observed{sites: map[string]*siteObjects{}}
	found, err := r.Engine.List(ctx, map[string]string{tenants.LabelInstance: r.Instance, tenants.LabelSite: s.ID})
	if err != nil {
		return err
	}
	there.containers(found)
	return r.reconcileSite(ctx, s, there, true)
}

// report stores the findings about some sites; nil: about all.
func (r *Reconciler) report(ctx context.Context, ids []string) error {
	if r.Findings == nil || ids != nil && len(ids) == 0 {
		return nil
	}
	codes := Codes
	if ids != nil { // what is unknown is no site's, and only a round sees it
		codes = Codes[:len(Codes)-1]
	}
	return r.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaSite, Subjects: ids, Codes: codes}, r.found)
}

func (r *Reconciler) addFinding(subject string, code tenants.FindingCode, level tenants.Level, args ...string) {
	f := tenants.Finding{Area: tenants.AreaSite, Subject: subject, Code: code, Level: level, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		f.Args[args[i]] = args[i+1]
	}
	r.found = append(r.found, f)
}

// reconcileSite requests an operation when a site's containers are not as recorded, and reports missing parts.
func (r *Reconciler) reconcileSite(ctx context.Context, s tenants.Site, there *observed, deep bool) error {
	if s.State == tenants.StateCreating {
		return nil // its operation is at work on it
	}
	if s.Release.ID == "" {
		r.addFinding(s.ID, tenants.FindingSiteTemplate, tenants.LevelTrouble, "template", s.Template)
		return nil // it could not be recorded, and nothing says how its containers are made
	}
	if !r.Templates.Has(s.Release.Template, s.Release.Version) { // it lives on, but no update will come
		r.addFinding(s.ID, tenants.FindingSiteTemplate, tenants.LevelAttention, "template", s.Release.Template, "version", s.Release.Version)
	}
	data, sockets, err := r.Disk.Has(ctx, s)
	if err != nil {
		return err
	}
	lost, err := r.reportMissing(ctx, s, data, there)
	if err != nil || lost && !data {
		return err // a container cannot run without data, and must not run on empty ones
	}
	t := there.of(s.ID)
	switch {
	case s.State == tenants.StateReady:
		if taken, err := r.nameTaken(ctx, s, t); err != nil || taken {
			return err
		}
		return r.repair(ctx, s, t, t.runs(s.Release) && sockets, deep)
	case t.anyRuns() || !sockets:
		return r.ask(ctx, s, Spec{}, KindSiteRest, repairPause)
	}
	return nil
}

func (r *Reconciler) ask(ctx context.Context, s tenants.Site, spec Spec, kind string, pause time.Duration) error {
	recent, err := r.Queue.Operations(ctx, operations.Filter{SiteID: s.ID, Subject: siteSubject(s.ID), Limit: 1})
	if err != nil {
		return err
	}
	if len(recent) > 0 && !recent[0].State.Ended() {
		return nil
	}
	if len(recent) > 0 && r.pausing(recent[0], kind, pause) {
		code, level := tenants.FindingSiteNotRepaired, tenants.LevelTrouble
		if pause == replacePause {
			code, level = tenants.FindingSiteNotReplaced, tenants.LevelAttention
		}
		if r.refused == nil {
			r.refused = map[string]bool{}
		}
		r.refused[s.ID] = true
		r.addFinding(s.ID, code, level, "problem", recent[0].Problem, "operation", recent[0].ID)
		return nil
	}
	spec.AssociationID, spec.SiteID, spec.Was, spec.By = s.AssociationID, s.ID, s.State, tenants.SideCoop
	plan, err := r.Registry.Latest(kind)
	if err != nil {
		return err
	}
	op, err := operations.NewOperation(plan, r.Now().UTC(), operations.Request{
		Subject: siteSubject(s.ID), AssociationID: s.AssociationID, SiteID: s.ID, CreatedBy: tenants.System().Name, Spec: spec,
	})
	if err != nil {
		return err
	}
	err = r.Records.Transact(ctx, func(ctx context.Context) error {
		if _, err := r.Queue.Insert(ctx, op); err != nil {
			return err
		}
		now, err := r.Records.Site(ctx, s.ID)
		if err == nil && (now.State != s.State || now.Release.ID != s.Release.ID) {
			err = operations.ErrBusy // it changed while we looked: the next round sees it as it is
		}
		return err
	})
	if errors.Is(err, operations.ErrBusy) {
		return nil
	}
	if err == nil {
		r.Log.Warn("a site is not as its record says; repairing", "site", s.ID, "state", s.State, "kind", kind, "operation", op.ID)
		r.Nudge()
	}
	return err
}

func (r *Reconciler) pausing(last operations.Operation, kind string, pause time.Duration) bool {
	return last.Kind == kind && last.State == operations.Undone && last.EndedAt != nil && r.Now().Sub(*last.EndedAt) < pause
}

// firstTime reports whether something is logged for the first time since the worker's start.
func (r *Reconciler) firstTime(what string) bool {
	if r.reported[what] {
		return false
	}
	if r.reported == nil {
		r.reported = map[string]bool{}
	}
	r.reported[what] = true
	return true
}

// busy reports whether the site has a live operation.
func (r *Reconciler) busy(ctx context.Context, siteID string) (bool, error) {
	live, err := r.Queue.Operations(ctx, operations.Filter{SiteID: siteID, Subject: siteSubject(siteID), LiveOnly: true, Limit: 1})
	return len(live) > 0, err
}
