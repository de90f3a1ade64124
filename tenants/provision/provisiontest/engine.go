package provisiontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"chatiere/tenants"
)

// engine is a container engine in memory; what a test does not use is not there.
type engine struct {
	tenants.Engine
	w *World
}

func (e engine) Create(_ context.Context, spec tenants.ContainerSpec) error {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	if _, taken := e.w.containers[spec.Name]; taken {
		return nil
	}
	if e.w.GoneImages[spec.Image] {
		return tenants.ErrNotFound
	}
	network := spec.Network
	if spec.NetworkOwner() != "" {
		owner := e.w.containers[spec.NetworkOwner()]
		if owner == nil {
			return tenants.ErrNotFound
		}
		network = tenants.NetworkOf(owner.ID)
	}
	e.w.clock++
	e.w.containers[spec.Name] = &tenants.Container{
		ID: fmt.Sprintf("%064x", e.w.clock), Name: spec.Name, ImageID: spec.Image, Labels: maps.Clone(spec.Labels), State: "created",
		Network: network,
	}
	return nil
}

func (e engine) set(name, state string) error {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	c := e.w.containers[name]
	if c == nil {
		return fmt.Errorf("container %s: %w", name, tenants.ErrNotFound)
	}
	if c.State = state; state == "running" {
		e.w.clock++
		c.StartedAt = time.Unix(e.w.clock, 0)
	}
	return nil
}

// byID returns a container by its id; the caller holds the world.
func (w *World) byID(id string) *tenants.Container {
	for _, c := range w.containers {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// startable returns what the engine, or the programs in a container, have against its start; the caller holds the world.
func (w *World) startable(c *tenants.Container) error {
	if id := c.NetworkOwner(); id != "" {
		owner := w.byID(id)
		if owner == nil {
			return fmt.Errorf("no such container %s: %w", id, tenants.ErrNotFound)
		}
		if !owner.Running() {
			return fmt.Errorf("cannot join network of a non running container: %w", tenants.ErrConflict)
		}
	}
	for _, other := range w.containers {
		server := c.ImageID == "sha256:postgresql" && other.ImageID == c.ImageID
		if server && other.ID != c.ID && other.Running() && other.Labels[tenants.LabelSite] == c.Labels[tenants.LabelSite] {
			w.Clashed = true
		}
	}
	return nil
}

// Start binds the directories of the container's sockets; one that runs keeps those it has.
func (e engine) Start(ctx context.Context, name string) error {
	c, err := e.Inspect(ctx, name)
	if err != nil || c.Running() {
		return err
	}
	e.w.mu.Lock()
	if e.w.HalfStarted[name] {
		e.w.mu.Unlock()
		return tenants.ErrConflict
	}
	if err := e.w.startable(&c); err != nil {
		e.w.mu.Unlock()
		return err
	}
	if c.Labels[tenants.LabelTemplate] == "vitrine" && !e.w.places[c.Labels[tenants.LabelSite]+"/"+Place] {
		e.w.mu.Unlock()
		return errors.New("bind source path does not exist")
	}
	sockets := socketsOf(c.Labels[tenants.LabelSite], "r"+c.Labels[tenants.LabelRelease])
	_, there := e.w.things[sockets]
	e.w.bound[name] = e.w.made[sockets]
	e.w.mu.Unlock()
	if !there {
		return errors.New("bind source path does not exist")
	}
	return e.set(name, "running")
}
func (e engine) Stop(_ context.Context, name string, _ time.Duration) error {
	if err := e.set(name, "exited"); err != nil && !errors.Is(err, tenants.ErrNotFound) {
		return err
	}
	return nil
}
func (e engine) Remove(_ context.Context, name string) error {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	delete(e.w.containers, name)
	delete(e.w.HalfStarted, name)
	return nil
}
func (e engine) Rename(_ context.Context, name, to string) error {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	c := e.w.containers[name]
	if c == nil {
		return tenants.ErrNotFound
	}
	if e.w.containers[to] != nil {
		return tenants.ErrConflict
	}
	delete(e.w.containers, name)
	c.Name, e.w.containers[to], e.w.bound[to] = to, c, e.w.bound[name]
	return nil
}

// Drift compares the image, and what ChangeContainer changed.
func (e engine) Drift(_ context.Context, name string, spec tenants.ContainerSpec) ([]string, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	c := e.w.containers[name]
	if c == nil || e.w.GoneImages[spec.Image] {
		return nil, tenants.ErrNotFound
	}
	if c.ImageID != spec.Image {
		return []string{"Image"}, nil
	}
	what := slices.Clone(e.w.changed[c])
	if owner := spec.NetworkOwner(); owner != "" {
		if e.w.containers[owner] == nil || e.w.containers[owner].ID != c.NetworkOwner() {
			what = append(what, "NetworkMode")
		}
	}
	return what, nil
}

// ChangeContainer changes a site's container by hand.
func (w *World) ChangeContainer(siteID string, what ...string) {
	name := w.Front(siteID)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed[w.containers[name]] = what
}

// ExchangeImage makes a site's container one of another image, as if made again by hand.
func (w *World) ExchangeImage(siteID, image string) {
	name := w.Front(siteID)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.containers[name].ImageID = image
}

// Container returns a container by name, nil when there is none.
func (w *World) Container(name string) *tenants.Container {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.containers[name]; c != nil {
		copied := *c
		return &copied
	}
	return nil
}

func (e engine) Inspect(_ context.Context, name string) (tenants.Container, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	c := e.w.containers[name]
	if c == nil {
		c = e.w.byID(name)
	}
	if c == nil {
		return tenants.Container{}, tenants.ErrNotFound
	}
	return *c, nil
}
func (e engine) List(_ context.Context, labels map[string]string) ([]tenants.ContainerSummary, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	var out []tenants.ContainerSummary
	for _, c := range e.w.containers {
		if site := labels[tenants.LabelSite]; site != "" && c.Labels[tenants.LabelSite] != site {
			continue
		}
		out = append(out, tenants.ContainerSummary{ID: c.ID, Name: c.Name, ImageID: c.ImageID, Labels: c.Labels, State: c.State, Health: c.Health})
	}
	return out, nil
}
func (e engine) Exec(_ context.Context, name string, x tenants.Exec) (tenants.ExecResult, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	c := e.w.containers[name]
	if c == nil || !c.Running() {
		return tenants.ExecResult{}, tenants.ErrConflict
	}
	switch hook := x.Command[0]; {
	case e.w.FailHook[hook]:
		return tenants.ExecResult{ExitCode: 1, Stderr: "no"}, nil
	case hook == "install":
		e.w.installed[name] = true
	case hook == "installed" && !e.w.installed[name]:
		return tenants.ExecResult{ExitCode: 1}, nil
	}
	return tenants.ExecResult{}, nil
}

// Specification returns what the container was made of.
func (e engine) Specification(_ context.Context, name string) (tenants.ContainerSpec, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	c := e.w.containers[name]
	if c == nil {
		return tenants.ContainerSpec{}, tenants.ErrNotFound
	}
	return tenants.ContainerSpec{Name: name, Image: c.ImageID, Labels: maps.Clone(c.Labels), Network: "none"}, nil
}

// Front returns the name of the front container of the release that the site's record has.
func (w *World) Front(siteID string) string {
	s, err := w.Records.Site(context.Background(), siteID)
	if err != nil {
		return ""
	}
	return s.Release.Front().Container
}

// StopContainer stops a site's container behind the worker's back.
func (w *World) StopContainer(siteID string) {
	_ = engine{w: w}.set(w.Front(siteID), "exited")
}

// StartContainer starts it behind the worker's back.
func (w *World) StartContainer(siteID string) {
	_ = engine{w: w}.Start(context.Background(), w.Front(siteID))
}

// RemoveContainer removes it behind the worker's back.
func (w *World) RemoveContainer(siteID string) {
	_ = engine{w: w}.Remove(context.Background(), w.Front(siteID))
}

// RestartNamed restarts a container by its name behind the worker's back.
func (w *World) RestartNamed(name string) {
	w.StopNamed(name)
	_ = engine{w: w}.Start(context.Background(), name)
}

// StopNamed stops a container by its name behind the worker's back.
func (w *World) StopNamed(name string) { _ = engine{w: w}.set(name, "exited") }

// ChangeNamed changes a container by its name by hand.
func (w *World) ChangeNamed(name string, what ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed[w.containers[name]] = what
}

// RemoveNamed removes a container by its name behind the worker's back.
func (w *World) RemoveNamed(name string) { _ = engine{w: w}.Remove(context.Background(), name) }

// StrayContainer puts a container there that no record knows.
func (w *World) StrayContainer(name, siteID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.containers[name] = &tenants.Container{Name: name, ImageID: FirstImage, State: "running", Labels: map[string]string{tenants.LabelSite: siteID}}
}
