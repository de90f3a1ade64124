//go:build integration

package docker_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
)

// cli runs Docker's own command line, as a hand that changes things.
func cli(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(cmd.Environ(), "DOCKER_API_VERSION=1.41")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// full is a sleeper that uses everything a site does.
func full(t *testing.T, instance string) tenants.ContainerSpec {
	spec := sleeper(instance, "s1")
	spec.User, spec.ReadOnlyRoot, spec.NanoCPUs, spec.RestartPolicy = "200123:200123", true, 5e8, "unless-stopped"
	spec.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	spec.Tmpfs = map[string]string{"/run": "size=1m,uid=200123,gid=200123,mode=0755"}
	spec.Mounts = []tenants.Mount{{Source: t.TempDir(), Target: "/data"}, {Source: t.TempDir(), Target: "/run/secrets", ReadOnly: true}}
	spec.Env = []string{"SITE_ID=s1", "PATH=/usr/bin:/bin"}
	return spec
}

func TestAContainerJustMadeIsAsAskedAndEveryChangeIsSeen(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := full(t, instance)
	must(t, e.Create(ctx, spec))
	must(t, e.Start(ctx, spec.Name))
	differ := func(s tenants.ContainerSpec, want ...string) {
		t.Helper()
		got, err := e.Drift(ctx, s.Name, s)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("what differs is %v (%v), want %v", got, err, want)
		}
	}
	differ(spec)
	for want, change := range map[string]func(*tenants.ContainerSpec){
		"Env":        func(s *tenants.ContainerSpec) { s.Env = []string{"SITE_ID=s2", "PATH=/usr/bin:/bin"} },
		"User":       func(s *tenants.ContainerSpec) { s.User = "1:1" },
		"Mounts":     func(s *tenants.ContainerSpec) { s.Mounts = s.Mounts[:1] },
		"PidsLimit":  func(s *tenants.ContainerSpec) { s.PidsLimit = 65 },
		"Tmpfs":      func(s *tenants.ContainerSpec) { s.Tmpfs = nil },
		"Cmd":        func(s *tenants.ContainerSpec) { s.Command = []string{"601"} },
		"Entrypoint": func(s *tenants.ContainerSpec) { s.Entrypoint = []string{"tail"} },
	} {
		other := spec
		change(&other)
		differ(other, want)
	}
	cli(t, "update", "--memory", "80m", "--memory-swap", "80m", spec.Name)
	differ(spec, "Memory", "MemorySwap")
	_, err := e.Drift(ctx, spec.Name+"x", spec)
	wants(t, "comparing one that is not there", err, tenants.ErrNotFound)
}

func TestAContainerMadeOfAnothersSpecificationIsTheSame(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := full(t, instance)
	must(t, e.Create(ctx, spec))
	got, err := e.Specification(ctx, spec.Name)
	must(t, err)
	if differ, err := e.Drift(ctx, spec.Name, got); err != nil || len(differ) > 0 {
		t.Errorf("a container differs from its own specification in %v (%v): %+v", differ, err, got)
	}
	must(t, e.Remove(ctx, spec.Name))
	must(t, e.Create(ctx, got))
	if differ, err := e.Drift(ctx, spec.Name, spec); err != nil || len(differ) > 0 {
		t.Errorf("one made of it differs in %v (%v)", differ, err)
	}
	_, err = e.Specification(ctx, spec.Name+"x")
	wants(t, "one that is not there", err, tenants.ErrNotFound)
}

func TestWhatTheEngineFillsInIsNoDriftAndWhatAHandAddsIs(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := full(t, instance)
	must(t, e.Create(ctx, spec))
	raw, err := e.ContainerConfig(ctx, spec.Name)
	must(t, err)
	for _, c := range []struct {
		change string // of the engine's settings, as JSON
		want   []string
	}{
		{`{"Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}], "ShmSize": 33554432, "Init": true}`, nil},
		{`{"Privileged": true}`, []string{"Privileged", "SecurityOpt"}}, // the engine then leaves labels out
		{`{"CapAdd": ["CAP_SYS_ADMIN"]}`, []string{"CapAdd"}},
		{`{"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/other", "CgroupPermissions": "r"}]}`, []string{"Devices"}},
	} {
		var recipe map[string]json.RawMessage
		must(t, json.Unmarshal(raw, &recipe))
		var host map[string]json.RawMessage
		must(t, json.Unmarshal(recipe["HostConfig"], &host))
		must(t, json.Unmarshal([]byte(c.change), &host))
		recipe["HostConfig"], err = json.Marshal(host)
		must(t, err)
		changed, err := json.Marshal(recipe)
		must(t, err)
		must(t, e.Remove(ctx, spec.Name))
		must(t, e.CreateFromConfig(ctx, spec.Name, changed))
		if got, err := e.Drift(ctx, spec.Name, spec); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: what differs is %v (%v), want %v", c.change, got, err, c.want)
		}
	}
}

func TestAPartIsMadeAgainJustAsItWasWithItsNetwork(t *testing.T) {
	ctx, e, instance := engine(t)
	name, network := "chatiere-"+instance+"-part", "net-"+instance
	label := tenants.LabelInstance + "=" + instance
	cli(t, "network", "create", "--internal", "--label", label, network)
	t.Cleanup(func() { cli(t, "network", "rm", network) })
	cli(t, "run", "-d", "--name", name, "--label", label, "--label", tenants.LabelRole+"=panel", "--label", "com.docker.compose.config-hash=abc",
		"--network", network, "--network-alias", "mariadb", "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--read-only",
		"--tmpfs", "/tmp:size=1m,mode=1777", "--memory", "64m", "--pids-limit", "99", "--user", "64020:64020", "--group-add", "64030",
		"--security-opt", "no-new-privileges:true", "--sysctl", "net.ipv4.ip_unprivileged_port_start=0", "--add-host", "x.example:127.0.0.1",
		"--restart", "unless-stopped", "--stop-timeout", "7", "--log-opt", "max-size=1m", "--health-cmd", "true", "--health-interval", "5s",
		"-v", t.TempDir()+":/data:ro", "-e", "A=é b", "--entrypoint", "sleep", image(), "600")
	before, err := e.ContainerConfig(ctx, name)
	must(t, err)
	cli(t, "rm", "-f", name)
	cli(t, "network", "rm", network)
	must(t, e.CreateFromConfig(ctx, name, before))
	must(t, e.Start(ctx, name))
	after, err := e.ContainerConfig(ctx, name)
	must(t, err)
	if what, err := e.ConfigDrift(before, after); err != nil || len(what) > 0 {
		t.Errorf("it differs in %v (%v)", what, err)
	}
	if internal := cli(t, "network", "inspect", "-f", "{{.Internal}} {{index .Labels \""+tenants.LabelInstance+"\"}}", network); internal != "true "+instance {
		t.Errorf("the network made again is %q", internal)
	}
	wants(t, "making it twice", e.CreateFromConfig(ctx, name, before), tenants.ErrConflict)
	wants(t, "another instance's making it", engineOf(t, "other").CreateFromConfig(ctx, name+"x", before), tenants.ErrInvalid)
	wants(t, "making nonsense", e.CreateFromConfig(ctx, name, json.RawMessage("{")), tenants.ErrInvalid)
	labels, err := e.ConfigLabels(before)
	if err != nil || labels["com.docker.compose.config-hash"] != "abc" {
		t.Errorf("the labels are %v (%v)", labels, err)
	}
	cli(t, "update", "--memory", "80m", "--memory-swap", "160m", name)
	changed, err := e.ContainerConfig(ctx, name)
	must(t, err)
	if what, err := e.ConfigDrift(before, changed); err != nil || !slices.Equal(what, []string{"Memory", "MemorySwap"}) {
		t.Errorf("after the update it differs in %v (%v)", what, err)
	}
	gone := json.RawMessage(strings.ReplaceAll(strings.ReplaceAll(string(before), image(), "chatiere/never:1"), `"ImageID":"sha256:`, `"ImageID":"sha256:0000`))
	wants(t, "making one without its image", e.CreateFromConfig(ctx, name+"y", gone), tenants.ErrNotFound)
	must(t, e.Remove(ctx, name))
}

func TestListAndEventsTellWhatHappens(t *testing.T) {
	ctx, e, instance := engine(t)
	begun := time.Now().Add(-time.Second)
	spec := running(t, ctx, e, instance)
	seen, err := e.List(ctx, map[string]string{tenants.LabelInstance: instance})
	if err != nil || len(seen) != 1 || seen[0].Name != spec.Name || seen[0].State != "running" || seen[0].Labels[tenants.LabelSite] != "s1" {
		t.Errorf("seen is %+v (%v)", seen, err)
	}
	cli(t, "update", "--memory", "80m", "--memory-swap", "80m", spec.Name)
	must(t, e.Rename(ctx, spec.Name, spec.Name+tenants.OldSuffix))
	wants(t, "renaming a foreign one", engineOf(t, "other").Rename(ctx, spec.Name+tenants.OldSuffix, "x"), tenants.ErrConflict)
	wants(t, "renaming one that is not there", e.Rename(ctx, spec.Name, "x"), tenants.ErrNotFound)
	must(t, e.Remove(ctx, spec.Name+tenants.OldSuffix))
	listening, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	var actions []string
	err = e.Events(listening, begun, func(ev tenants.Event) {
		actions = append(actions, ev.Action)
		if ev.Labels[tenants.LabelSite] != "s1" || ev.At.IsZero() {
			t.Errorf("an event tells %+v", ev)
		}
		if ev.Action == "destroy" {
			stop()
		}
	})
	if listening.Err() != context.Canceled {
		t.Errorf("the events ended with %v after %v", err, actions)
	}
	for _, want := range []string{"create", "start", "update", "rename", "die", "destroy"} {
		if !slices.Contains(actions, want) {
			t.Errorf("no event %s among %v", want, actions)
		}
	}
}

func TestLastWordsAreTheEndOfTheLog(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "s1")
	spec.Entrypoint, spec.Command = []string{"sh", "-c"}, []string{"echo one; echo two; echo three; sleep 600"}
	must(t, e.Create(ctx, spec))
	must(t, e.Start(ctx, spec.Name))
	for {
		words, err := e.LogTail(ctx, spec.Name, 2)
		must(t, err)
		if strings.Contains(words, "three") {
			if words != "two\nthree" {
				t.Errorf("the last words are %q", words)
			}
			return
		}
	}
}
