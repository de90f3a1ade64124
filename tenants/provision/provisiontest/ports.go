package provisiontest

import (
	"context"
	"errors"
	"fmt"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

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
func (w databases) Unlock(_ context.Context, name string) error {
	w.World.Drop("lock:" + name)
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

func (w prober) Check(_ context.Context, s tenants.Site, _ tenants.Page) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.containers[provision.ContainerName("test", s.ID)]
	if c == nil || !c.Running() || w.BrokenImages[c.ImageID] {
		return errors.New("connection refused")
	}
	if w.bound[c.Name] != w.made[s.ID] {
		return errors.New("its socket lies in a directory that is gone")
	}
	if _, there := w.things["files:"+s.ID]; !there {
		return errors.New("answered 500")
	}
	return nil
}
