package provisiontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"chatiere/tenants"
	"chatiere/tenants/operations"
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
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.contents, "database:"+name)
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
	if s.Release.Generation > 1 {
		w.put(dataOf(s))
	}
	return w.EnsureSockets(ctx, s)
}
func (w disk) EnsureSockets(_ context.Context, s tenants.Site) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := Sockets(s)
	if _, there := w.things[name]; !there {
		w.things[name] = mark{}
		w.made[name]++
	}
	for _, place := range s.Release.Places {
		if _, there := w.things["files:"+s.ID]; !there {
			return fmt.Errorf("the data of site %s: %w", s.ID, tenants.ErrNotFound)
		}
		w.places[s.ID+"/"+place] = true
	}
	return nil
}
func (w disk) RetireSockets(_ context.Context, s tenants.Site) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.things, func(name string, _ mark) bool {
		return strings.HasPrefix(name, socketsOf(s.ID, "")) && name != Sockets(s)
	})
	return nil
}
func (w disk) Has(_ context.Context, s tenants.Site) (data, sockets bool, err error) {
	return w.has("files:" + s.ID), w.has(Sockets(s)), nil
}
func (w disk) Ready(_ context.Context, s tenants.Site) (bool, error) {
	return w.has("files:"+s.ID) && w.has(Sockets(s)), nil
}
func (w disk) Remove(_ context.Context, id string) error {
	w.Drop("files:" + id)
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.things, func(name string, _ mark) bool {
		return strings.HasPrefix(name, socketsOf(id, "")) || strings.HasPrefix(name, "files:"+id+"/")
	})
	return nil
}
func (w disk) RemoveData(_ context.Context, s tenants.Site) error {
	w.Drop(dataOf(s))
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.contents, dataOf(s))
	return nil
}

// Sockets returns the thing that the sockets of a site's release are.
func Sockets(s tenants.Site) string { return socketsOf(s.ID, s.Release.Sockets) }

func socketsOf(siteID, directory string) string { return "sockets:" + siteID + "/" + directory }

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
func (w routes) Await(ctx context.Context) error {
	sites, err := w.Records.LiveSites(ctx)
	for _, s := range sites {
		if w.DeafTo[s.Release.Front().ImageID] {
			return operations.Permanent(operations.CauseTemplate, errors.New("the proxy does not take the table"))
		}
	}
	return err
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

// connected reports whether the containers of a site's release run and reach one another.
func (w *World) connected(s tenants.Site) bool {
	for _, part := range s.Release.Containers {
		c := w.containers[part.Container]
		if c == nil || !c.Running() {
			return false
		}
		owner := w.byID(c.NetworkOwner())
		if c.NetworkOwner() != "" && (owner == nil || !owner.Running() || !owner.StartedAt.Before(c.StartedAt)) {
			return false
		}
	}
	return true
}

// prober answers 200 for a site whose container runs and whose application is installed.
type prober struct{ *World }

func (w prober) Check(_ context.Context, s tenants.Site, _ tenants.Page) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.containers[s.Release.Front().Container]
	if c == nil || !c.Running() || w.BrokenImages[c.ImageID] || !w.connected(s) {
		return errors.New("connection refused")
	}
	if w.bound[c.Name] != w.made[Sockets(s)] {
		return errors.New("its socket lies in a directory that is gone")
	}
	if _, there := w.things["files:"+s.ID]; !there {
		return errors.New("answered 500")
	}
	return nil
}
