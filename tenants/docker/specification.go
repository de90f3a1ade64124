package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"chatiere/tenants"
)

// Specification returns how a container was made, as Create would take it. What all containers of ours have in common is
// not part of a specification: a container that lacks it differs from its own.
func (e *Engine) Specification(ctx context.Context, name string) (tenants.ContainerSpec, error) {
	have, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return tenants.ContainerSpec{}, translate("inspecting container "+name, err)
	}
	image, err := e.imageConfig(ctx, have.Image)
	if err != nil {
		return tenants.ContainerSpec{}, err
	}
	spec := specification(have.Config, have.HostConfig, image)
	spec.Name, spec.Image = strings.TrimPrefix(have.Name, "/"), have.Image
	return spec, nil
}

// specification is the inverse of settings. What a container has from its image is left out: it would get it again.
func specification(config *container.Config, host *container.HostConfig, image imageConfig) tenants.ContainerSpec {
	spec := tenants.ContainerSpec{
		User: config.User, Env: without(config.Env, image.env), Labels: map[string]string{},
		Tmpfs: host.Tmpfs, Network: string(host.NetworkMode), Sysctls: host.Sysctls, ReadOnlyRoot: host.ReadonlyRootfs,
		MemoryBytes: host.Memory, NanoCPUs: host.NanoCPUs, RestartPolicy: string(host.RestartPolicy.Name),
	}
	if !slices.Equal(config.Entrypoint, image.entrypoint) || !slices.Equal(config.Cmd, image.command) {
		spec.Entrypoint, spec.Command = config.Entrypoint, config.Cmd
	}
	if config.StopSignal != image.stopSignal {
		spec.StopSignal = config.StopSignal
	}
	for name, value := range config.Labels {
		if image.labels[name] != value {
			spec.Labels[name] = value
		}
	}
	if host.PidsLimit != nil {
		spec.PidsLimit = *host.PidsLimit
	}
	for _, m := range host.Mounts {
		if m.Type == mount.TypeBind {
			spec.Mounts = append(spec.Mounts, tenants.Mount{Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
		}
	}
	return spec
}

// without returns the assignments of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(v string) bool { return slices.Contains(b, v) })
}

// imageConfig is what containers get from an image.
type imageConfig struct {
	env, entrypoint, command []string
	labels                   map[string]string
	stopSignal               string
}

func (e *Engine) imageConfig(ctx context.Context, ref string) (imageConfig, error) {
	image, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return imageConfig{}, translate("inspecting image "+ref, err)
	}
	if image.Config == nil {
		return imageConfig{}, nil
	}
	c := image.Config
	return imageConfig{env: c.Env, entrypoint: c.Entrypoint, command: c.Cmd, labels: c.Labels, stopSignal: c.StopSignal}, nil
}
