//go:build integration

package docker_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/docker"
)

const host = "unix:///var/run/docker.sock"

func image() string {
	if ref := os.Getenv("CHATIERE_BASE_IMAGE"); ref != "" {
		return ref
	}
	return "chatiere/base:trixie"
}

// engine returns one with an instance name of its own, and the time a test may take. What bears that name afterwards is removed.
func engine(t *testing.T) (context.Context, *docker.Engine, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	instance := "test-" + strings.ToLower(rand.Text()[:10])
	e := engineOf(t, instance)
	t.Cleanup(func() {
		left, err := e.List(context.Background(), map[string]string{tenants.LabelInstance: instance})
		if err != nil {
			t.Error(err)
		}
		for _, c := range left {
			if err := e.Remove(context.Background(), c.Name); err != nil {
				t.Error(err)
			}
		}
	})
	return ctx, e, instance
}

func engineOf(t *testing.T, instance string) *docker.Engine {
	t.Helper()
	e, err := docker.New(docker.Options{Host: host, Instance: instance, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func sleeper(instance, name string) tenants.ContainerSpec {
	return tenants.ContainerSpec{
		Name: "chatiere-" + instance + "-" + name, Image: image(), Entrypoint: []string{"sleep"}, Command: []string{"600"},
		Network: "none", RestartPolicy: "no", PidsLimit: 64, MemoryBytes: 64 << 20,
		Labels: map[string]string{tenants.LabelInstance: instance, tenants.LabelSite: name},
	}
}

// running makes and starts a sleeper.
func running(t *testing.T, ctx context.Context, e *docker.Engine, instance string) tenants.ContainerSpec {
	t.Helper()
	spec := sleeper(instance, "s1")
	must(t, e.Create(ctx, spec))
	must(t, e.Start(ctx, spec.Name))
	return spec
}

func TestCreatingTwiceIsSuccessAndAnotherIsAConflict(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "s1")
	must(t, e.Create(ctx, spec))
	first, err := e.Inspect(ctx, spec.Name)
	must(t, err)
	must(t, e.Create(ctx, spec))
	id, err := e.ImageID(ctx, image())
	must(t, err)
	spec.Image = id // the same, by content
	must(t, e.Create(ctx, spec))
	if again, err := e.Inspect(ctx, spec.Name); err != nil || again.ID != first.ID || again.State != "created" || again.Running() {
		t.Errorf("after creating again: %+v (%v)", again, err)
	}
	other := sleeper(instance, "s1")
	other.Labels[tenants.LabelOperation] = "another"
	wants(t, "another operation's", e.Create(ctx, other), tenants.ErrConflict)
	foreign := sleeper(instance, "s1")
	foreign.Labels[tenants.LabelInstance] = "other"
	wants(t, "one with a foreign label", e.Create(ctx, foreign), tenants.ErrInvalid)
	spec.Name, spec.Image = spec.Name+"x", "chatiere/never-built:1"
	wants(t, "one of an image that is not there", e.Create(ctx, spec), tenants.ErrNotFound)
}

func TestAMissingMountSourceIsAnErrorAndNotMade(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "s1")
	gone := filepath.Join(t.TempDir(), "gone")
	spec.Mounts = []tenants.Mount{{Source: gone, Target: "/data"}}
	err := e.Create(ctx, spec)
	if err == nil {
		err = e.Start(ctx, spec.Name)
	}
	if err == nil {
		t.Error("a container with a missing source started")
	}
	if _, err := os.Stat(gone); !os.IsNotExist(err) {
		t.Errorf("the engine made the source: %v", err)
	}
}

func TestStatesAreTold(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := running(t, ctx, e, instance)
	must(t, e.Start(ctx, spec.Name)) // running already
	c, err := e.Inspect(ctx, spec.Name)
	must(t, err)
	if !c.Running() || c.Pid == 0 || time.Since(c.StartedAt).Abs() > time.Minute || c.Name != spec.Name || !strings.HasPrefix(c.ImageID, "sha256:") {
		t.Errorf("running, it is %+v", c)
	}
	begun := time.Now()
	must(t, e.Stop(ctx, spec.Name, 300*time.Millisecond)) // sleep, as process 1, ignores TERM
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if c, err = e.Inspect(ctx, spec.Name); err != nil || c.State != "exited" || c.ExitCode != 137 || c.OOMKilled {
		t.Errorf("stopped, it is %+v (%v)", c, err)
	}
	must(t, e.Stop(ctx, spec.Name, 0))
	must(t, e.Start(ctx, spec.Name))
	must(t, e.Remove(ctx, spec.Name)) // running
	_, err = e.Inspect(ctx, spec.Name)
	wants(t, "inspecting a removed one", err, tenants.ErrNotFound)
	wants(t, "starting it", e.Start(ctx, spec.Name), tenants.ErrNotFound)
	must(t, e.Stop(ctx, spec.Name, 0))
	must(t, e.Remove(ctx, spec.Name))
}

func TestAProcessKilledForMemoryIsTold(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "s1")
	spec.MemoryBytes = 16 << 20
	spec.Entrypoint, spec.Command = []string{"tail"}, []string{"/dev/zero"}
	must(t, e.Create(ctx, spec))
	must(t, e.Start(ctx, spec.Name))
	for {
		c, err := e.Inspect(ctx, spec.Name)
		must(t, err)
		if c.Running() {
			continue
		}
		if !c.OOMKilled || c.ExitCode != 137 {
			t.Errorf("it is %+v", c)
		}
		return
	}
}

func TestOnlyContainersOfTheInstanceAreTouched(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := running(t, ctx, e, instance)
	other := engineOf(t, "other")
	wants(t, "stopping a foreign one", other.Stop(ctx, spec.Name, 0), tenants.ErrConflict)
	wants(t, "removing a foreign one", other.Remove(ctx, spec.Name), tenants.ErrConflict)
	_, err := other.Exec(ctx, spec.Name, tenants.Exec{Command: []string{"true"}})
	wants(t, "running a command in a foreign one", err, tenants.ErrConflict)
	if c, err := e.Inspect(ctx, spec.Name); err != nil || !c.Running() {
		t.Errorf("afterwards it is %+v (%v)", c, err)
	}
}

func TestListingIsByEveryLabel(t *testing.T) {
	ctx, e, instance := engine(t)
	a, b := sleeper(instance, "s1"), sleeper(instance, "s2")
	b.Labels[tenants.LabelRole] = "proxy"
	must(t, e.Create(ctx, a))
	must(t, e.Create(ctx, b))
	must(t, e.Start(ctx, b.Name))
	for name, c := range map[string]struct {
		labels map[string]string
		want   int
	}{
		"of the instance":           {map[string]string{tenants.LabelInstance: instance}, 2},
		"of one site":               {map[string]string{tenants.LabelInstance: instance, tenants.LabelSite: "s2"}, 1},
		"with any role":             {map[string]string{tenants.LabelInstance: instance, tenants.LabelRole: ""}, 1},
		"of a site without a role":  {map[string]string{tenants.LabelInstance: instance, tenants.LabelSite: "s1", tenants.LabelRole: ""}, 0},
		"of nobody":                 {map[string]string{tenants.LabelInstance: "nobody"}, 0},
		"of the start of the label": {map[string]string{tenants.LabelInstance: instance[:8]}, 0},
	} {
		got, err := e.List(ctx, c.labels)
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %d (%v), want %d", name, len(got), err, c.want)
		}
	}
	got, err := e.List(ctx, map[string]string{tenants.LabelInstance: instance, tenants.LabelSite: "s2"})
	is, inspected := e.Inspect(ctx, b.Name)
	if err != nil || inspected != nil || len(got) != 1 || !got[0].Running() || got[0].Name != b.Name || got[0].ID != is.ID || got[0].ImageID != is.ImageID || is.ImageID == "" {
		t.Errorf("got %+v (%v), inspected %+v (%v)", got, err, is, inspected)
	}
}

func TestAContainerIsAsClosedAsAsked(t *testing.T) {
	ctx, e, instance := engine(t)
	data, secret := t.TempDir(), t.TempDir()
	must(t, os.Chown(data, 200123, 200123))
	spec := sleeper(instance, "s1")
	spec.User, spec.ReadOnlyRoot, spec.NanoCPUs, spec.RestartPolicy = "200123:200123", true, 5e8, "unless-stopped"
	spec.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	spec.Tmpfs = map[string]string{"/run": "size=1m,uid=200123,gid=200123,mode=0755"}
	spec.Mounts = []tenants.Mount{{Source: data, Target: "/data"}, {Source: secret, Target: "/run/secrets", ReadOnly: true}}
	spec.Env = []string{"SITE_ID=s1"}
	must(t, e.Create(ctx, spec))
	must(t, e.Start(ctx, spec.Name))
	for name, c := range map[string]struct {
		command string
		want    string
	}{
		"user":            {"id -u; id -g", "200123\n200123\n"},
		"capabilities":    {"grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/1/status | cut -f2 | sort -u", "0000000000000000\n"},
		"no new rights":   {"grep NoNewPrivs /proc/1/status | cut -f2", "1\n"},
		"interfaces":      {"tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "lo\n"},
		"low ports":       {"cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "0\n"},
		"root":            {"touch /x 2>/dev/null || echo refused", "refused\n"},
		"tmpfs":           {"touch /run/x && echo fine", "fine\n"},
		"data":            {"touch /data/x && echo fine", "fine\n"},
		"secrets":         {"touch /run/secrets/x 2>/dev/null || echo refused", "refused\n"},
		"environment":     {"echo $SITE_ID", "s1\n"},
		"engine's socket": {"ls /var/run/docker.sock 2>/dev/null || echo none", "none\n"},
	} {
		got, err := e.Exec(ctx, spec.Name, tenants.Exec{Command: []string{"sh", "-c", c.command}, Timeout: 20 * time.Second})
		if err != nil || got.Output != c.want {
			t.Errorf("%s: %q %q (%v), want %q", name, got.Output, got.Stderr, err, c.want)
		}
	}
	limits(t, spec)
}

// limits asks the engine itself, by its own command, what it was told.
func limits(t *testing.T, spec tenants.ContainerSpec) {
	t.Helper()
	out, err := exec.Command("docker", "inspect", "--format", "{{json .HostConfig}}", spec.Name).Output()
	must(t, err)
	var host struct {
		NetworkMode, IpcMode            string
		ReadonlyRootfs, Privileged      bool
		CapDrop, CapAdd, SecurityOpt    []string
		Memory, MemorySwap              int64
		NanoCpus, PidsLimit             int64
		RestartPolicy                   struct{ Name string }
		PidMode, UTSMode, UsernsMode    string
		Binds, Devices, VolumesFrom     []any
		PublishAllPorts, AutoRemove     bool
		LogConfig                       struct{ Config map[string]string }
		Tmpfs                           map[string]string
		OomKillDisable                  *bool
		MaskedPaths, ReadonlyPaths      []string
		ExtraHosts, GroupAdd, DnsSearch []string
	}
	must(t, json.Unmarshal(out, &host))
	if host.NetworkMode != "none" || !host.ReadonlyRootfs || host.Privileged || len(host.CapDrop) != 1 || host.CapDrop[0] != "ALL" ||
		len(host.CapAdd) > 0 || len(host.SecurityOpt) != 1 || host.SecurityOpt[0] != "no-new-privileges" ||
		host.Memory != 64<<20 || host.MemorySwap != host.Memory || host.NanoCpus != 5e8 || host.PidsLimit != 64 ||
		host.RestartPolicy.Name != "unless-stopped" || host.PidMode != "" || host.IpcMode != "private" ||
		host.LogConfig.Config["max-size"] == "" || len(host.MaskedPaths) == 0 {
		t.Errorf("the engine was told %s", out)
	}
}

func TestInfoDescribesTheEngine(t *testing.T) {
	ctx, e, _ := engine(t)
	info, err := e.Info(ctx)
	if err != nil || info.Version == "" || info.APIVersion == "" || info.Root == "" || info.CgroupVersion == "" {
		t.Errorf("got %+v (%v)", info, err)
	}
}

func TestAnEngineThatDoesNotAnswerIsUnavailable(t *testing.T) {
	e, err := docker.New(docker.Options{Host: "unix://" + filepath.Join(t.TempDir(), "none.sock"), Instance: "x", Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	ctx := context.Background()
	_, err = e.Inspect(ctx, "x")
	wants(t, "inspecting", err, tenants.ErrUnavailable)
	_, err = e.Info(ctx)
	wants(t, "asking", err, tenants.ErrUnavailable)
	wants(t, "removing", e.Remove(ctx, "x"), tenants.ErrUnavailable)
}
