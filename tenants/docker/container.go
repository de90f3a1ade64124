package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"

	"chatiere/tenants"
)

// Create makes a container. One of that name with the same labels and image is success; another is ErrConflict.
func (e *Engine) Create(ctx context.Context, spec tenants.ContainerSpec) error {
	if spec.Labels[tenants.LabelInstance] != e.instance {
		return fmt.Errorf("creating container %s: its label %s is not %q: %w", spec.Name, tenants.LabelInstance, e.instance, tenants.ErrInvalid)
	}
	config, host := settings(spec)
	made, err := e.api.ContainerCreate(ctx, config, host, nil, nil, spec.Name)
	err = translate("creating container "+spec.Name, err)
	if errors.Is(err, tenants.ErrConflict) {
		return e.checkExisting(ctx, spec, err)
	}
	for _, w := range made.Warnings {
		e.log.WarnContext(ctx, "engine warns", "container", spec.Name, "detail", w)
	}
	return err
}

// checkExisting returns nil when the container of that name matches the specification, and conflict otherwise.
func (e *Engine) checkExisting(ctx context.Context, spec tenants.ContainerSpec, conflict error) error {
	there, err := e.Inspect(ctx, spec.Name)
	if err != nil {
		return err
	}
	image, err := e.ImageID(ctx, spec.Image)
	if err != nil {
		return err
	}
	if there.ImageID != image {
		return fmt.Errorf("%w (it has image %s)", conflict, there.ImageID)
	}
	for label, value := range spec.Labels {
		if there.Labels[label] != value {
			return fmt.Errorf("%w (its label %s is %q)", conflict, label, there.Labels[label])
		}
	}
	return nil
}

// Start starts it; a running one is success.
func (e *Engine) Start(ctx context.Context, name string) error {
	return translate("starting container "+name, e.api.ContainerStart(ctx, name, container.StartOptions{}))
}

// Stop stops it within grace, then kills; a stopped or absent one is success.
func (e *Engine) Stop(ctx context.Context, name string, grace time.Duration) error {
	doing := "stopping container " + name
	if err := e.checkInstance(ctx, name); err != nil {
		return absentIsFine(doing, err)
	}
	seconds := int((grace + time.Second - 1) / time.Second)
	err := e.api.ContainerStop(ctx, name, container.StopOptions{Timeout: &seconds})
	return absentIsFine(doing, translate(doing, err))
}

// Remove removes it, running or not, with its anonymous volumes; an absent one is success.
func (e *Engine) Remove(ctx context.Context, name string) error {
	doing := "removing container " + name
	if err := e.checkInstance(ctx, name); err != nil {
		return absentIsFine(doing, err)
	}
	err := translate(doing, e.api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	if errors.Is(err, tenants.ErrConflict) { // somebody else is removing it just now
		return e.awaitGone(ctx, name, err)
	}
	return absentIsFine(doing, err)
}

// awaitGone waits until another's removal is over.
func (e *Engine) awaitGone(ctx context.Context, name string, conflict error) error {
	ctx, cancel := context.WithTimeout(ctx, cleanup)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := e.Inspect(ctx, name)
		if errors.Is(err, tenants.ErrNotFound) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(conflict, err)
		case <-tick.C:
		}
	}
}

// Rename gives it another name; ErrConflict when that is taken.
func (e *Engine) Rename(ctx context.Context, name, to string) error {
	if err := e.checkInstance(ctx, name); err != nil {
		return err
	}
	return translate("renaming container "+name, e.api.ContainerRename(ctx, name, to))
}

// checkInstance returns an error for a container without our instance's label.
func (e *Engine) checkInstance(ctx context.Context, name string) error {
	there, err := e.Inspect(ctx, name)
	if err != nil {
		return err
	}
	if there.Labels[tenants.LabelInstance] != e.instance {
		return fmt.Errorf("container %s is not one of instance %q: %w", name, e.instance, tenants.ErrConflict)
	}
	return nil
}

func absentIsFine(doing string, err error) error {
	if err == nil || errors.Is(err, tenants.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Inspect returns the engine's description of a container.
func (e *Engine) Inspect(ctx context.Context, name string) (tenants.Container, error) {
	raw, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return tenants.Container{}, translate("inspecting container "+name, err)
	}
	return containerOf(raw), nil
}
