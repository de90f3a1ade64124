// Package platformtest is a container engine in memory, for tests of the watch.
package platformtest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"chatiere/tenants"
)

// Engine holds containers by name. It is safe for concurrent use.
type Engine struct {
	mu         sync.Mutex
	containers map[string]*Container
	ids        int

	calls []string
	// Sick are recipes whose containers never get well, Gone those whose image is not there.
	Sick, Gone map[string]bool
	// Quirk is added to the making of every container that Make makes.
	Quirk string
}

// Container is one container: its making is the recipe's JSON.
type Container struct {
	tenants.Container
	Making Making
}

// Making is how a container is made here.
type Making struct {
	Labels map[string]string
	Memory int
	Image  string
	Quirk  string `json:",omitempty"`
}

// New returns an empty engine.
func New() *Engine {
	return &Engine{containers: map[string]*Container{}, Sick: map[string]bool{}, Gone: map[string]bool{}}
}

// Put puts a running container there, as somebody else makes it.
func (e *Engine) Put(name string, m Making) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.put(name, m).State = "running"
}

func (e *Engine) put(name string, m Making) *Container {
	e.ids++
	c := &Container{Making: m}
	c.ID, c.Name, c.Labels, c.State = fmt.Sprintf("id%d", e.ids), name, m.Labels, "created"
	e.containers[name] = c
	return c
}

// Change changes a container behind everybody's back.
func (e *Engine) Change(name string, change func(*Container)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e.containers[name])
}

// Lose removes a container behind everybody's back.
func (e *Engine) Lose(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, name)
}

// Container returns a copy of one, and false when there is none.
func (e *Engine) Container(name string) (Container, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, there := e.containers[name]
	if !there {
		return Container{}, false
	}
	return *c, true
}

// Calls returns what was asked for so far, and forgets it.
func (e *Engine) Calls() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := e.calls
	e.calls = nil
	return calls
}

func (e *Engine) find(name string) (*Container, error) {
	for _, c := range e.containers {
		if c.Name == name || c.ID == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("container %s: %w", name, tenants.ErrNotFound)
}

// List implements platform.Engine: all are of one instance.
func (e *Engine) List(context.Context, map[string]string) ([]tenants.ContainerSummary, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []tenants.ContainerSummary
	for _, c := range e.containers {
		if c.Labels[tenants.LabelInstance] == "test" {
			out = append(out, tenants.ContainerSummary{ID: c.ID, Name: c.Name, Labels: c.Labels, State: c.State, Health: c.Health})
		}
	}
	return out, nil
}

// Events implements platform.Engine; nothing ever happens.
func (e *Engine) Events(ctx context.Context, _ time.Time, _ func(tenants.Event)) error {
	<-ctx.Done()
	return ctx.Err()
}

// Inspect implements platform.Engine.
func (e *Engine) Inspect(_ context.Context, name string) (tenants.Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil {
		return tenants.Container{}, err
	}
	return c.Container, nil
}

func (e *Engine) do(call, name string, act func(*Container)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, call+" "+name)
	c, err := e.find(name)
	if err == nil {
		act(c)
	}
	return err
}

// Start implements platform.Engine.
func (e *Engine) Start(_ context.Context, name string) error {
	return e.do("start", name, func(c *Container) {
		c.State, c.Health = "running", "healthy"
		if e.Sick[c.Making.Image] {
			c.Health = "unhealthy"
		}
	})
}

// Stop implements platform.Engine.
func (e *Engine) Stop(_ context.Context, name string, _ time.Duration) error {
	return e.do("stop", name, func(c *Container) { c.State, c.Health = "exited", "" })
}

// Remove implements platform.Engine.
func (e *Engine) Remove(_ context.Context, name string) error {
	return e.do("remove", name, func(c *Container) { delete(e.containers, c.Name) })
}

// Rename implements platform.Engine.
func (e *Engine) Rename(_ context.Context, name, to string) error {
	return e.do("rename", name, func(c *Container) {
		delete(e.containers, c.Name)
		c.Name = to
		e.containers[to] = c
	})
}

// ContainerConfig implements platform.Engine.
func (e *Engine) ContainerConfig(_ context.Context, name string) (json.RawMessage, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(name)
	if err != nil {
		return nil, err
	}
	return json.Marshal(c.Making)
}

// ConfigLabels implements platform.Engine.
func (e *Engine) ConfigLabels(raw json.RawMessage) (map[string]string, error) {
	var m Making
	return m.Labels, json.Unmarshal(raw, &m)
}

// CreateFromConfig implements platform.Engine.
func (e *Engine) CreateFromConfig(_ context.Context, name string, raw json.RawMessage) error {
	var m Making
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, "make "+name)
	if e.containers[name] != nil {
		return tenants.ErrConflict
	}
	if e.Gone[m.Image] {
		return tenants.ErrNotFound
	}
	m.Quirk = e.Quirk
	e.put(name, m)
	return nil
}

// ConfigDrift implements platform.Engine.
func (e *Engine) ConfigDrift(a, b json.RawMessage) ([]string, error) {
	var x, y Making
	if err := json.Unmarshal(a, &x); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return nil, err
	}
	var out []string
	for name, same := range map[string]bool{"Memory": x.Memory == y.Memory, "Image": x.Image == y.Image, "Quirk": x.Quirk == y.Quirk} {
		if !same {
			out = append(out, name)
		}
	}
	return out, nil
}

// LogTail implements platform.Engine.
func (e *Engine) LogTail(context.Context, string, int) (string, error) { return "bye", nil }
