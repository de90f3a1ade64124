package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/operations"
)

const (
	// stopGrace lets php-fpm finish the request it serves.
	stopGrace = 10 * time.Second
	// readyTimeout is how long a started site may take to answer before the attempt fails.
	readyTimeout = 20 * time.Second
	readyPoll    = 50 * time.Millisecond
)

// siteFunc is a function of a step with the operation's site.
type siteFunc func(ctx context.Context, r *operations.Run, s tenants.Site) error

// onSite wraps a siteFunc: it loads the operation's site.
func (p *Plans) onSite(fn siteFunc) func(context.Context, *operations.Run) error {
	return func(ctx context.Context, r *operations.Run) error {
		s, err := p.site(ctx, r)
		if err != nil {
			return err
		}
		return fn(ctx, r, s)
	}
}

func (p *Plans) observeSite(fn func(ctx context.Context, s tenants.Site) (bool, error)) func(context.Context, *operations.Run) (bool, error) {
	return func(ctx context.Context, r *operations.Run) (bool, error) {
		s, err := p.site(ctx, r)
		if err != nil {
			return false, err
		}
		return fn(ctx, s)
	}
}

func (p *Plans) site(ctx context.Context, r *operations.Run) (tenants.Site, error) {
	var w Spec
	if err := r.Spec(&w); err != nil {
		return tenants.Site{}, err
	}
	s, err := p.Records.Site(ctx, w.SiteID)
	if errors.Is(err, tenants.ErrNotFound) {
		return s, operations.Permanent(operations.CauseContradiction, fmt.Errorf("finding the site of operation %s: %w", r.Op.ID, err))
	}
	return s, err
}

// stepImage makes sure that the disk has room and gives the site its first release, whose images are built where they are
// missing.
func (p *Plans) stepImage() operations.Step {
	return operations.Step{
		Name: "image", Cancellable: true, // a build takes minutes
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			if err := p.Disk.Room(ctx, newSiteBytes); err != nil {
				return err
			}
			var w Spec
			if err := r.Spec(&w); err != nil {
				return err
			}
			_, err := p.ensureRelease(ctx, s, w.Mode, r.Op.ID)
			return err
		}),
	}
}

func (p *Plans) stepFiles() operations.Step {
	return operations.Step{
		Name:    "files",
		Observe: p.observeSite(func(ctx context.Context, s tenants.Site) (bool, error) { return p.Disk.Ready(ctx, s) }),
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.Disk.Ensure(ctx, s)
		}),
		Undo: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return p.Disk.Remove(ctx, s.ID) }),
	}
}

func (p *Plans) stepDatabase() operations.Step {
	return operations.Step{
		Name: "database",
		// No Observe: that both exist does not tell whether the rights were granted before a kill; Ensure is cheap and repeats.
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			if s.Database() == "" {
				return nil // its own containers keep it, or it has none
			}
			password, err := p.Disk.Secret(ctx, s.ID, "db_password")
			if err != nil {
				return fmt.Errorf("reading the site's database password: %w", err)
			}
			return p.Databases.Ensure(ctx, s.Database(), r.Op.ID, password)
		}),
		Undo: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.dropDatabase(ctx, s)
		}),
	}
}

func (p *Plans) dropDatabase(ctx context.Context, s tenants.Site) error {
	if s.Database() == "" {
		return nil
	}
	return p.Databases.Drop(ctx, s.Database())
}

// stepUnlock has no undo: a site that could not be resumed does not run.
func (p *Plans) stepUnlock() operations.Step {
	return operations.Step{
		Name: "unlock",
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			if s.Database() == "" {
				return nil
			}
			return p.Databases.Unlock(ctx, s.Database())
		}),
	}
}

func (p *Plans) stepEgress() operations.Step {
	return operations.Step{
		Name:    "egress",
		Observe: p.observeSite(func(ctx context.Context, s tenants.Site) (bool, error) { return p.Egress.Published(ctx, s.ID) }),
		Do:      p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return p.Egress.Publish(ctx, s) }),
		Undo: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.Egress.Withdraw(ctx, s.ID)
		}),
	}
}

func (p *Plans) stepWithdraw() operations.Step {
	return operations.Step{
		Name: "egress",
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.Egress.Withdraw(ctx, s.ID)
		}),
		Undo: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return p.Egress.Publish(ctx, s) }),
	}
}

func (p *Plans) stepContainer() operations.Step {
	return operations.Step{
		Name: "container",
		Do: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			s, err := p.ensureRelease(ctx, s, "", r.Op.ID) // one that was in the bin when releases came has none
			if err != nil {
				return err
			}
			if err := p.Disk.EnsureSockets(ctx, s); err != nil {
				return err
			}
			return p.createContainers(ctx, s)
		}),
		Undo: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			return p.removeContainers(ctx, s.ID)
		}),
	}
}

// stepContainerKept makes the container again if it is missing; undoing leaves it, since it was there before by right.
func (p *Plans) stepContainerKept() operations.Step {
	step := p.stepContainer()
	step.Undo = nil
	return step
}

func (p *Plans) stepRemoveContainer() operations.Step {
	made := p.stepContainer()
	return operations.Step{Name: "container", Do: made.Undo, Undo: made.Do}
}

// createContainers makes the containers of the site's release, in the place of those that are not as they must be: nobody
// is served by these, for the site is closed or the release not reached yet.
func (p *Plans) createContainers(ctx context.Context, s tenants.Site) error {
	specs, err := p.specs(ctx, s)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		if err := p.createContainer(ctx, s, spec); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plans) createContainer(ctx context.Context, s tenants.Site, spec tenants.ContainerSpec) error {
	have, err := p.Engine.Inspect(ctx, spec.Name)
	if errors.Is(err, tenants.ErrNotFound) {
		return p.create(ctx, spec)
	}
	if err != nil {
		return err
	}
	if have.Labels[tenants.LabelInstance] != p.Instance {
		return operations.Permanent(operations.CauseContradiction, fmt.Errorf("container %s belongs to somebody else", spec.Name))
	}
	what, err := p.drift(ctx, spec.Name, spec)
	if err != nil || len(what) == 0 && have.Labels[tenants.LabelSite] == s.ID {
		return err
	}
	if err := p.Engine.Remove(ctx, spec.Name); err != nil {
		return fmt.Errorf("removing an outdated container: %w", err)
	}
	return p.create(ctx, spec)
}

func (p *Plans) stepStart() operations.Step {
	return operations.Step{
		Name: "start",
		Do:   p.onSite(p.startContainers),
		Undo: p.onSite(p.stopContainers),
	}
}

// startContainers starts the containers of the site's release. An engine that was ended in the middle of a start keeps half
// of it, and no later start gets past that: the container, in which nothing of the site's lies, is made anew.
func (p *Plans) startContainers(ctx context.Context, _ *operations.Run, s tenants.Site) error {
	specs, err := p.specs(ctx, s)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		if err := p.startContainer(ctx, s, spec); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plans) startContainer(ctx context.Context, s tenants.Site, spec tenants.ContainerSpec) error {
	if err := p.rejoin(ctx, s, spec); err != nil {
		return err
	}
	err := p.Engine.Start(ctx, spec.Name)
	if !errors.Is(err, tenants.ErrConflict) {
		return err
	}
	p.Log.Warn("a container cannot be started as it is; making it anew", "site", s.ID, "container", spec.Name, "error", err)
	if err := p.Engine.Remove(ctx, spec.Name); err != nil {
		return fmt.Errorf("removing a container that was half started: %w", err)
	}
	if err := p.createContainer(ctx, s, spec); err != nil {
		return err
	}
	return p.Engine.Start(ctx, spec.Name)
}

func (p *Plans) stepStop() operations.Step {
	start := p.stepStart()
	return operations.Step{Name: "stop", Do: p.onSite(p.stopContainers), Undo: start.Do}
}

// stopContainers stops them in the reverse of the order in which they were started.
func (p *Plans) stopContainers(ctx context.Context, _ *operations.Run, s tenants.Site) error {
	if s.Release.ID == "" { // it could not be recorded: whatever is its container stops
		return p.stopAll(ctx, s, stopGrace)
	}
	for _, c := range slices.Backward(s.Release.Containers) {
		if err := p.Engine.Stop(ctx, c.Container, stopGrace); err != nil {
			return err
		}
	}
	return nil
}

// stepReady waits until the site answers on its own socket.
func (p *Plans) stepReady() operations.Step {
	return operations.Step{
		Name: "ready",
		Do:   p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error { return p.awaitReady(ctx, s) }),
	}
}

func (p *Plans) awaitReady(ctx context.Context, s tenants.Site) error {
	d, err := p.Definition(ctx, s)
	if err != nil {
		return err
	}
	return p.await(ctx, p.Private, s, d.Ready)
}

// await asks until the answer is the wanted one or readyTime is over.
func (p *Plans) await(ctx context.Context, from Prober, s tenants.Site, want tenants.Page) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := from.Check(ctx, s, want)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to be ready: %w", s.Host, errors.Join(err, ctx.Err()))
		case <-time.After(readyPoll):
		}
	}
}

// stepOpen lets visitors in: the record says ready, the table follows, and the proxy is seen to answer. A site that was
// suspended before it was deleted comes back suspended.
func (p *Plans) stepOpen() operations.Step {
	return operations.Step{
		Name: "open",
		Do: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			s.State, s.BinnedAt = s.Reopens(), nil
			if s.State == tenants.StateReady {
				s.Probe = tenants.Probe{At: p.Now().UTC(), Health: tenants.HealthUp}
			}
			if err := p.Records.UpdateSite(ctx, s); err != nil {
				return err
			}
			return p.Routes.Publish(ctx)
		}),
		Verify: p.onSite(func(ctx context.Context, _ *operations.Run, s tenants.Site) error {
			if s.State == tenants.StateSuspended {
				return nil
			}
			return p.await(ctx, p.Public, s, tenants.Page{Path: "/", Status: http.StatusOK})
		}),
		Undo: p.onSite(func(ctx context.Context, r *operations.Run, s tenants.Site) error {
			var w Spec
			if err := r.Spec(&w); err != nil {
				return err
			}
			s.State = stateBefore(r.Op.Kind)
			if s.State == tenants.StateBinned {
				s.BinnedAt = p.binnedSince(w)
			}
			if err := p.Records.UpdateSite(ctx, s); err != nil {
				return err
			}
			return p.Routes.Publish(ctx)
		}),
	}
}

// binnedSince is since when a site lay in the bin that goes back there. Wishes of older versions do not tell.
func (p *Plans) binnedSince(w Spec) *time.Time {
	if w.BinnedAt != nil {
		return w.BinnedAt
	}
	now := p.Now().UTC()
	return &now
}

// stateBefore is what a site was before an operation that ends by opening it.
func stateBefore(kind string) tenants.SiteState {
	switch kind {
	case KindSiteResume:
		return tenants.StateSuspended
	case KindSiteRestore:
		return tenants.StateBinned
	}
	return tenants.StateCreating
}
