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

// Reconciler compares what there is with what the records say, and repairs by operations, which take their turn behind
// whatever works on the site already. What has no record is reported and left alone: a worker pointed at an old database
// must not be able to delete the living. What lies there without a right to is dealt with in strays.go and groups.go,
// what should lie there and does not in missing.go.
type Reconciler struct {
	*Plans
	Queue    operations.Queue
	Registry *operations.Registry
	Sight    Sight
	Nudge    func()
	Findings Findings // nil: what it finds is only logged
	// Silent tells since when a site's container, not its application, has not answered; zero: it answers, or nobody
	// asked yet.
	Silent func(siteID string) time.Time

	mu       sync.Mutex // one round, or one look at some sites, at a time
	reported map[string]bool
	rounds   int
	found    []tenants.Finding // in this round or look
	refused  map[string]bool   // sites whose last repair failed not long ago
}

// Findings is where the reconciler says what it cannot mend.
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
	// illness is how long a container may be silent before it is started anew, relapse after how long that is tried again.
	illness = 2 * time.Minute
	relapse = time.Hour
	// deepRounds: in each round every so many-th site's container is compared in full; what was changed by hand is seen
	// by the watch at once, this finds what nobody told.
	deepRounds = 5
)

// Reconcile makes one round. It goes on after a failure with one site and returns all failures together.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found, r.rounds = nil, r.rounds+1
	// The records before everything else: what a site that is ready now owns was made before, so it cannot be missed
	// below merely for being young. What is younger than the records is asked after once more before it counts as stray.
	sites, err := r.Records.LiveSites(ctx)
	if err != nil {
		return fmt.Errorf("listing live sites: %w", err)
	}
	there, err := r.look(ctx)
	if err != nil {
		return err
	}
	faults := there.faults
	for i, s := range sites {
		faults = append(faults, r.guarded(func() error { return r.settle(ctx, s, there, (i+r.rounds)%deepRounds == 0) }))
		delete(there.traces, s.ID)
	}
	faults = append(faults, r.updates(ctx, sites))
	for _, id := range there.ids() {
		faults = append(faults, r.guarded(func() error { return r.stray(ctx, id, there.traces[id]) }))
	}
	// Groups last: Keycloak may be slow to say that it is not there.
	faults = append(faults, r.say(ctx, nil), r.Routes.Publish(ctx), r.groups(ctx))
	return errors.Join(faults...)
}

// Look looks at some sites at once, of whose containers somebody said that they are not as they were. What has no record is
// left to the round.
func (r *Reconciler) Look(ctx context.Context, ids []string) error {
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
			err = r.guarded(func() error { return r.lookAt(ctx, s) })
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("looking at site %s: %w", id, err))
			continue
		}
		looked = append(looked, id)
	}
	return errors.Join(append(faults, r.say(ctx, looked))...)
}

// guarded calls fn about one site; a panic is its error, so that the other sites are looked after.
func (r *Reconciler) guarded(fn func() error) (err error) {
	defer recovery.Error(&err)
	return fn()
}

func (r *Reconciler) lookAt(ctx context.Context, s tenants.Site) error {
	there := &sighting{traces: map[string]*trace{}}
	found, err := r.Engine.List(ctx, map[string]string{tenants.LabelInstance: r.Instance, tenants.LabelSite: s.ID})
	if err != nil {
		return err
	}
	there.containers(found)
	return r.settle(ctx, s, there, true)
}

// say hands in what was found about some sites; nil: about all.
func (r *Reconciler) say(ctx context.Context, ids []string) error {
	if r.Findings == nil || ids != nil && len(ids) == 0 {
		return nil
	}
	codes := Codes
	if ids != nil { // what is unknown is no site's, and only a round sees it
		codes = Codes[:len(Codes)-1]
	}
	return r.Findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaSite, Subjects: ids, Codes: codes}, r.found)
}

func (r *Reconciler) find(subject string, code tenants.FindingCode, level tenants.Level, args ...string) {
	f := tenants.Finding{Area: tenants.AreaSite, Subject: subject, Code: code, Level: level, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		f.Args[args[i]] = args[i+1]
	}
	r.found = append(r.found, f)
}

// settle asks for an operation when a site's container is not as its record wants it, and tells what it has lost.
func (r *Reconciler) settle(ctx context.Context, s tenants.Site, there *sighting, deep bool) error {
	if s.State == tenants.StateCreating {
		return nil // its operation is at work on it
	}
	if s.Release.ID == "" {
		r.find(s.ID, tenants.FindingSiteTemplate, tenants.LevelTrouble, "template", s.Template)
		return nil // it could not be recorded, and nothing says how its containers are made
	}
	if !r.Templates.Has(s.Release.Template, s.Release.Version) { // it lives on, but no update will come
		r.find(s.ID, tenants.FindingSiteTemplate, tenants.LevelAttention, "template", s.Release.Template, "version", s.Release.Version)
	}
	data, sockets, err := r.Disk.Has(ctx, s)
	if err != nil {
		return err
	}
	lost, err := r.missing(ctx, s, data, there)
	if err != nil || lost && !data {
		return err // a container cannot run without data, and must not run on empty ones
	}
	t := there.of(s.ID)
	switch {
	case s.State == tenants.StateReady:
		if taken, err := r.nameTaken(ctx, s, t); err != nil || taken {
			return err
		}
		return r.mend(ctx, s, t, t.runs(s.Release) && sockets, deep)
	case t.anyRuns() || !sockets:
		return r.ask(ctx, s, Wish{}, KindSiteRest, repairPause)
	}
	return nil
}

func (r *Reconciler) ask(ctx context.Context, s tenants.Site, wish Wish, kind string, pause time.Duration) error {
	recent, err := r.Queue.Operations(ctx, operations.Filter{SiteID: s.ID, Limit: 1})
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
		r.find(s.ID, code, level, "problem", recent[0].Problem, "operation", recent[0].ID)
		return nil
	}
	wish.AssociationID, wish.SiteID, wish.Was, wish.By = s.AssociationID, s.ID, s.State, tenants.SideCoop
	plan, err := r.Registry.Latest(kind)
	if err != nil {
		return err
	}
	op, err := operations.NewOperation(plan, r.Now().UTC(), "site:"+s.ID, "", wish)
	if err != nil {
		return err
	}
	op.AssociationID, op.SiteID, op.CreatedBy = s.AssociationID, s.ID, tenants.System().Name
	err = r.Records.Transact(ctx, func(ctx context.Context) error {
		if _, err := r.Queue.Insert(ctx, op); err != nil {
			return err
		}
		now, err := r.Records.Site(ctx, s.ID)
		if err == nil && now.State != s.State {
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

// once reports whether something has not been told yet since this worker started.
func (r *Reconciler) once(what string) bool {
	if r.reported[what] {
		return false
	}
	if r.reported == nil {
		r.reported = map[string]bool{}
	}
	r.reported[what] = true
	return true
}

// busy reports whether an operation works on the site or waits to.
func (r *Reconciler) busy(ctx context.Context, siteID string) (bool, error) {
	live, err := r.Queue.Operations(ctx, operations.Filter{SiteID: siteID, LiveOnly: true, Limit: 1})
	return len(live) > 0, err
}
