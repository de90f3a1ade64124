package docker

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sort"

	"github.com/docker/docker/api/types/container"

	"chatiere/tenants"
)

// Drift returns the settings in which a container differs from a specification, by the engine's names.
func (e *Engine) Drift(ctx context.Context, name string, spec tenants.ContainerSpec) ([]string, error) {
	have, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return nil, translate("inspecting container "+name, err)
	}
	id, err := e.ImageID(ctx, spec.Image)
	if err != nil {
		return nil, err
	}
	if have.Image != id {
		return []string{"Image"}, nil // the rest follows from it
	}
	image, err := e.imageConfig(ctx, id)
	if err != nil {
		return nil, err
	}
	config, host := settings(spec)
	if host.NetworkMode, err = e.networkMode(ctx, spec); err != nil {
		return nil, err
	}
	if len(config.Entrypoint) > 0 || len(config.Cmd) > 0 {
		image.entrypoint, image.command = config.Entrypoint, config.Cmd
	}
	var out []string
	for what, same := range map[string]bool{
		"User":       have.Config.User == config.User,
		"Env":        sameSet(have.Config.Env, mergedEnv(image.env, config.Env)),
		"Entrypoint": slices.Equal(have.Config.Entrypoint, image.entrypoint),
		"Cmd":        slices.Equal(have.Config.Cmd, image.command),
	} {
		if !same {
			out = append(out, what)
		}
	}
	theirs, err := hostDifferences(host, have.HostConfig)
	out = append(out, theirs...)
	sort.Strings(out)
	return out, err
}

// networkMode is how the engine keeps a specification's network: the owner of a shared one by its id. An owner that is gone
// has none, which differs from whatever the container has.
func (e *Engine) networkMode(ctx context.Context, spec tenants.ContainerSpec) (container.NetworkMode, error) {
	owner := spec.NetworkOwner()
	if owner == "" {
		return container.NetworkMode(spec.Network), nil
	}
	there, err := e.Inspect(ctx, owner)
	if err != nil && !errors.Is(err, tenants.ErrNotFound) {
		return "", err
	}
	return container.NetworkMode(tenants.NetworkOf(there.ID)), nil
}

// mergedEnv is the environment that the engine makes of an image's and a container's.
func mergedEnv(image, own []string) []string {
	out := slices.Clone(own)
	for _, e := range image {
		if !slices.ContainsFunc(own, func(o string) bool { return variable(o) == variable(e) }) {
			out = append(out, e)
		}
	}
	return out
}

func variable(assignment string) string {
	for i := range assignment {
		if assignment[i] == '=' {
			return assignment[:i]
		}
	}
	return assignment
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// engineDefaults are settings that we never make: the engine fills them in, some from its own configuration
// (default-ulimits, default-shm-size, init, cgroup-parent …), so that another configuration or version of the engine must
// not look like drift.
var engineDefaults = []string{
	"CgroupnsMode", "CgroupParent", "ConsoleSize", "ContainerIDFile", "Init", "MaskedPaths", "OomKillDisable", "ReadonlyPaths", "Runtime",
	"ShmSize", "Ulimits",
}

// hostDifferences compares every setting that is not the engine's own, so that one we never thought of counts as well.
func hostDifferences(want, have *container.HostConfig) ([]string, error) {
	w, err := fields(want)
	if err != nil {
		return nil, err
	}
	h, err := fields(have)
	if err != nil {
		return nil, err
	}
	if h["MemorySwap"] == float64(-1) {
		delete(w, "MemorySwap") // a kernel that cannot limit swap: the engine says so once, at the making
		delete(h, "MemorySwap")
	}
	return unequal(w, h, engineDefaults), nil
}

// fields are the settings of v that are not empty, as the engine would send them.
func fields(v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for name, value := range all {
		if isEmpty(value) {
			delete(all, name)
		}
	}
	return all, nil
}

func isEmpty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return reflect.ValueOf(v).IsZero()
}

// unequal names the keys whose values differ, in order, leaving some out.
func unequal(a, b map[string]any, leave []string) []string {
	var out []string
	for name, value := range a {
		if !slices.Contains(leave, name) && !reflect.DeepEqual(value, b[name]) {
			out = append(out, name)
		}
	}
	for name := range b {
		if _, both := a[name]; !both && !slices.Contains(leave, name) {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}
