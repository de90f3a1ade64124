package docker

import (
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"chatiere/tenants"
)

// settings turns our description into the engine's. What no container of ours ever needs is taken away here, for all.
func settings(spec tenants.ContainerSpec) (*container.Config, *container.HostConfig) {
	config := &container.Config{
		Image: spec.Image, Entrypoint: spec.Entrypoint, Cmd: spec.Command, User: spec.User, Env: spec.Env,
		Labels: spec.Labels, StopSignal: spec.StopSignal,
	}
	host := &container.HostConfig{
		NetworkMode:    container.NetworkMode(spec.Network),
		ReadonlyRootfs: spec.ReadOnlyRoot,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"},
		IpcMode:        container.IPCModePrivate,
		Mounts:         mounts(spec.Mounts),
		Tmpfs:          spec.Tmpfs,
		Sysctls:        spec.Sysctls,
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyMode(spec.RestartPolicy)},
		// Logs of a noisy application must not fill the disk.
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "5m", "max-file": "2"}},
		Resources: container.Resources{
			Memory: spec.MemoryBytes, MemorySwap: spec.MemoryBytes, // equal: no swap beyond it
			NanoCPUs: spec.NanoCPUs,
		},
	}
	if spec.PidsLimit > 0 {
		host.PidsLimit = &spec.PidsLimit
	}
	return config, host
}

// mounts uses the newer of the engine's two ways to bind: it fails on a missing source instead of making a directory
// that belongs to root.
func mounts(wanted []tenants.Mount) []mount.Mount {
	var out []mount.Mount
	for _, m := range wanted {
		out = append(out, mount.Mount{
			Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly,
			BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate},
		})
	}
	return out
}

// containerOf turns the engine's answer into ours.
func containerOf(raw container.InspectResponse) tenants.Container {
	c := tenants.Container{ID: raw.ID, Name: strings.TrimPrefix(raw.Name, "/"), ImageID: raw.Image, RestartCount: raw.RestartCount}
	if raw.Config != nil {
		c.Labels = raw.Config.Labels
	}
	if raw.HostConfig != nil {
		c.Network = string(raw.HostConfig.NetworkMode)
	}
	if raw.State == nil {
		return c
	}
	c.State, c.ExitCode, c.OOMKilled, c.Pid = raw.State.Status, raw.State.ExitCode, raw.State.OOMKilled, raw.State.Pid
	c.StartedAt, _ = time.Parse(time.RFC3339Nano, raw.State.StartedAt) // "0001-…" before the first start is the zero time
	if raw.State.Health != nil && raw.State.Health.Status != container.NoHealthcheck {
		c.Health = raw.State.Health.Status
	}
	return c
}
