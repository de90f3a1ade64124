package provisiontest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// World is the outside that plans act on: containers, databases, directories, groups, routes, egress lists.
type World struct {
	Records *Records

	mu         sync.Mutex
	containers map[string]*tenants.Container
	installed  map[string]bool // by container
	things     map[string]mark // "database:…", "user:…", "files:…", "sockets:…", "group:…", "egress:…"
	made       map[string]int  // by site: how often its sockets were made
	bound      map[string]int  // by container: which of them its last start bound
	routes     map[string]string
	changed    map[*tenants.Container][]string // by hand
	// BrokenImages never answer, GoneImages are not on the server.
	BrokenImages, GoneImages map[string]bool
	// FailHook makes a hook answer with exit code 1.
	FailHook map[string]bool
	// Refuse makes the groups refuse our credentials.
	Refuse bool
	// HalfStarted makes a container that is there unable to start until it is made anew.
	HalfStarted map[string]bool
	missing     int // MiB that the disk lacks, see SetMissing
	// DatabasesDown makes the list of databases fail.
	DatabasesDown bool
}

// mark is what a thing says of who made it; things that take no mark have none.
type mark struct{ instance, operation string }

// NewWorld returns an empty world over the records.
func NewWorld(r *Records) *World {
	return &World{
		Records: r, containers: map[string]*tenants.Container{}, installed: map[string]bool{},
		things: map[string]mark{}, made: map[string]int{}, bound: map[string]int{}, routes: map[string]string{},
		HalfStarted: map[string]bool{}, FailHook: map[string]bool{}, changed: map[*tenants.Container][]string{}, BrokenImages: map[string]bool{}, GoneImages: map[string]bool{},
	}
}

// SetMissing fills the disk until so many MiB are missing: hooks then fail as applications do, without saying why. 0 makes
// room again.
func (w *World) SetMissing(mib int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missing = mib
	w.FailHook["install"] = mib > 0
}

// Inventory lists all there is, sorted, for comparing before and after.
func (w *World) Inventory() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for name, c := range w.containers {
		out = append(out, "container:"+name+":"+c.State)
	}
	for t := range w.things {
		out = append(out, t)
	}
	for h, s := range w.routes {
		out = append(out, "route:"+h+":"+s)
	}
	slices.Sort(out)
	return out
}

// Plans returns plans whose every port leads into this world.
func (w *World) Plans(now func() time.Time) *provision.Plans {
	return &provision.Plans{
		Instance: "test", Language: "fr", Records: w.Records, Databases: databases{w}, Disk: disk{w}, Groups: groups{w},
		Routes: routes{w}, Egress: egress{w}, Engine: engine{w: w}, Templates: Templates{}, Private: prober{w}, Public: prober{w}, Now: now,
	}
}

func (w *World) put(thing string) { w.Put(thing, "", "") }

func (w *World) has(thing string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, there := w.things[thing]
	return there
}

type databases struct{ *World }

func (w databases) Ensure(_ context.Context, name, operation, password string) error {
	if password == "" {
		return errors.New("empty password")
	}
	w.Put("database:"+name, "test", operation)
	w.put("user:" + name)
	return nil
}
func (w databases) Exists(_ context.Context, name string) (bool, bool, error) {
	return w.has("database:" + name), w.has("user:" + name), nil
}
func (w databases) Drop(_ context.Context, name string) error {
	w.World.Drop("database:"+name, "user:"+name)
	return nil
}
func (w databases) Size(context.Context, string) (int64, error) { return 1 << 20, nil }

type disk struct{ *World }

func (w disk) Ensure(ctx context.Context, s tenants.Site) error {
	w.put("files:" + s.ID)
	return w.EnsureSockets(ctx, s)
}
func (w disk) EnsureSockets(_ context.Context, s tenants.Site) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.things["sockets:"+s.ID]; !there {
		w.things["sockets:"+s.ID] = mark{}
		w.made[s.ID]++
	}
	return nil
}
func (w disk) Has(_ context.Context, s tenants.Site) (data, sockets bool, err error) {
	return w.has("files:" + s.ID), w.has("sockets:" + s.ID), nil
}
func (w disk) Ready(_ context.Context, s tenants.Site) (bool, error) {
	return w.has("files:"+s.ID) && w.has("sockets:"+s.ID), nil
}
func (w disk) Remove(_ context.Context, id string) error {
	w.Drop("files:"+id, "sockets:"+id)
	return nil
}
func (w disk) Secret(_ context.Context, id, name string) (string, error) {
	if !w.has("files:" + id) {
		return "", tenants.ErrNotFound
	}
	return name + "-of-" + id, nil
}
func (w disk) Usage(context.Context, string) (int64, error) { return 1 << 20, nil }
func (w disk) Room(context.Context, int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missing == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d MiB are missing", tenants.ErrDiskFull, w.missing)
}

type groups struct{ *World }

func (w groups) EnsureAssociation(_ context.Context, slug, operation string) (string, error) {
	if w.Refuse {
		return "", fmt.Errorf("making group %s: %w", slug, tenants.ErrRefused)
	}
	if !w.has("group:" + slug) {
		w.Put("group:"+slug, "test", operation)
	}
	return "id-of-" + slug, nil
}
func (w groups) AssociationExists(_ context.Context, slug string) (string, bool, error) {
	return "id-of-" + slug, w.has("group:" + slug), nil
}
func (w groups) RemoveAssociation(_ context.Context, slug string) error {
	w.Drop("group:" + slug)
	return nil
}

type routes struct{ *World }

func (w routes) Publish(ctx context.Context) error {
	sites, err := w.Records.LiveSites(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.routes = map[string]string{}
	for _, s := range sites {
		switch s.State {
		case tenants.StateReady:
			w.routes[s.Host] = "serving"
		case tenants.StateSuspended, tenants.StateBinned:
			w.routes[s.Host] = "refused"
		}
	}
	return nil
}
func (w routes) Published(_ context.Context, host string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.routes[host], nil
}

type egress struct{ *World }

func (w egress) Publish(_ context.Context, s tenants.Site) error { w.put("egress:" + s.ID); return nil }
func (w egress) Withdraw(_ context.Context, id string) error     { w.Drop("egress:" + id); return nil }
func (w egress) Published(_ context.Context, id string) (bool, error) {
	return w.has("egress:" + id), nil
}

// prober answers 200 for a site whose container runs and whose application is installed.
type prober struct{ *World }

func (w prober) Get(_ context.Context, s tenants.Site, _ string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.containers[provision.ContainerName("test", s.ID)]
	if c == nil || !c.Running() || w.BrokenImages[c.ImageID] {
		return 0, errors.New("connection refused")
	}
	if w.bound[c.Name] != w.made[s.ID] {
		return 0, errors.New("its socket lies in a directory that is gone")
	}
	if _, there := w.things["files:"+s.ID]; !there {
		return http.StatusInternalServerError, nil
	}
	return http.StatusOK, nil
}

// Templates knows one template, "wordpress" in version "1".
type Templates struct{}

// Latest implements provision.Templates.
func (Templates) Latest(name string) (string, error) {
	if name != "wordpress" {
		return "", fmt.Errorf("template %q: %w", name, tenants.ErrNotFound)
	}
	return "1", nil
}

// Template implements provision.Templates.
func (Templates) Template(name, version string) (provision.Template, error) {
	if name != "wordpress" || version != "1" {
		return nil, tenants.ErrNotFound
	}
	return template{}, nil
}

// Image implements provision.Templates.
func (Templates) Image(context.Context, string, string, io.Writer) (string, error) {
	return "sha256:wordpress1", nil
}

type template struct{}

func (template) Container(s tenants.Site) (tenants.ContainerSpec, error) {
	return tenants.ContainerSpec{User: fmt.Sprintf("%d:%d", s.UID, s.UID), Network: "none", ReadOnlyRoot: true}, nil
}
func (template) Hook(_ tenants.Site, name string) (provision.Hook, bool, error) {
	return provision.Hook{Command: []string{name}, Timeout: time.Minute}, true, nil
}
func (template) ReadyPath() (string, int) { return "/", http.StatusOK }
func (template) DiskNeed() int64          { return 1 << 20 }

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
	e.w.containers[spec.Name] = &tenants.Container{
		Name: spec.Name, ImageID: spec.Image, Labels: maps.Clone(spec.Labels), State: "created",
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
	c.State = state
	return nil
}

// Start binds the directories of the container's sockets; one that runs keeps those it has.
func (e engine) Start(ctx context.Context, name string) error {
	c, err := e.Inspect(ctx, name)
	if err != nil || c.Running() {
		return err
	}
	id := c.Labels[tenants.LabelSite]
	e.w.mu.Lock()
	if e.w.HalfStarted[name] {
		e.w.mu.Unlock()
		return tenants.ErrConflict
	}
	_, there := e.w.things["sockets:"+id]
	e.w.bound[name] = e.w.made[id]
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

// Differences compares the image, and what ChangeContainer changed.
func (e engine) Differences(_ context.Context, name string, spec tenants.ContainerSpec) ([]string, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	c := e.w.containers[name]
	if c == nil || e.w.GoneImages[spec.Image] {
		return nil, tenants.ErrNotFound
	}
	if c.ImageID != spec.Image {
		return []string{"Image"}, nil
	}
	return slices.Clone(e.w.changed[c]), nil
}

// ChangeContainer changes a site's container by hand.
func (w *World) ChangeContainer(siteID string, what ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed[w.containers[provision.ContainerName("test", siteID)]] = what
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
		return tenants.Container{}, tenants.ErrNotFound
	}
	return *c, nil
}
func (e engine) List(context.Context, map[string]string) ([]tenants.Container, error) {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	var out []tenants.Container
	for _, c := range e.w.containers {
		out = append(out, *c)
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

// StopContainer stops a site's container behind the worker's back.
func (w *World) StopContainer(siteID string) {
	_ = engine{w: w}.set(provision.ContainerName("test", siteID), "exited")
}

// StartContainer starts it behind the worker's back.
func (w *World) StartContainer(siteID string) {
	_ = engine{w: w}.Start(context.Background(), provision.ContainerName("test", siteID))
}

// RemoveContainer removes it behind the worker's back.
func (w *World) RemoveContainer(siteID string) {
	_ = engine{w: w}.Remove(context.Background(), provision.ContainerName("test", siteID))
}

// StrayContainer puts a container there that no record knows.
func (w *World) StrayContainer(name, siteID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.containers[name] = &tenants.Container{Name: name, ImageID: "sha256:wordpress1", State: "running", Labels: map[string]string{tenants.LabelSite: siteID}}
}
