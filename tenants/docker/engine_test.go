package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"

	"chatiere/tenants"
	"chatiere/tenants/docker"
)

func TestAContainerGoesThroughItsLife(t *testing.T) {
	d, e := newDaemon(t)
	spec := wanted("site")
	must(t, e.Create(t.Context(), spec))
	state := func(want string) tenants.Container {
		t.Helper()
		c, err := e.Inspect(t.Context(), spec.Name)
		if err != nil || c.State != want || c.Name != spec.Name || c.ImageID != imageID || c.Labels[tenants.LabelSite] != "s1" {
			t.Errorf("it is %+v (%v), want it %s", c, err, want)
		}
		return c
	}
	if c := state("created"); !c.StartedAt.IsZero() || c.Health != "" {
		t.Errorf("before its start it is %+v", c)
	}
	must(t, e.Start(t.Context(), spec.Name))
	if c := state("running"); c.StartedAt.Hour() != 10 || c.Pid != 7 || c.Health != "healthy" {
		t.Errorf("running, it is %+v", c)
	}
	must(t, e.Stop(t.Context(), spec.Name, 2500*time.Millisecond))
	if c := state("exited"); c.ExitCode != 137 || d.stopped[spec.Name] != "3" {
		t.Errorf("stopped after %q s, it is %+v", d.stopped[spec.Name], c)
	}
	must(t, e.Rename(t.Context(), spec.Name, "site-old"))
	_, err := e.Inspect(t.Context(), spec.Name)
	wants(t, "asking for the old name", err, tenants.ErrNotFound)
	must(t, e.Remove(t.Context(), "site-old"))
	if len(d.containers) != 0 {
		t.Errorf("left are %v", d.containers)
	}
}

func TestWhatIsAbsentNeedsNotBeStoppedOrRemoved(t *testing.T) {
	_, e := newDaemon(t)
	must(t, e.Stop(t.Context(), "nobody", time.Second))
	must(t, e.Remove(t.Context(), "nobody"))
	wants(t, "starting it", e.Start(t.Context(), "nobody"), tenants.ErrNotFound)
	wants(t, "renaming it", e.Rename(t.Context(), "nobody", "somebody"), tenants.ErrNotFound)
}

func TestContainersOfOthersAreNotTouched(t *testing.T) {
	d, e := newDaemon(t)
	foreign := wanted("theirs")
	foreign.Labels[tenants.LabelInstance] = "other"
	wants(t, "making one", e.Create(t.Context(), foreign), tenants.ErrInvalid)
	must(t, e.Create(t.Context(), wanted("theirs")))
	d.containers["theirs"].Config.Labels[tenants.LabelInstance] = "other"
	asked := len(d.asked)
	wants(t, "stopping", e.Stop(t.Context(), "theirs", time.Second), tenants.ErrConflict)
	wants(t, "removing", e.Remove(t.Context(), "theirs"), tenants.ErrConflict)
	wants(t, "renaming", e.Rename(t.Context(), "theirs", "ours"), tenants.ErrConflict)
	_, err := e.Exec(t.Context(), "theirs", tenants.Exec{Command: []string{"true"}})
	wants(t, "a command in it", err, tenants.ErrConflict)
	if len(d.asked) != asked {
		t.Errorf("the engine was asked for %v", d.asked[asked:])
	}
}

func TestASecondCreateSucceedsForTheSameContainerOnly(t *testing.T) {
	d, e := newDaemon(t)
	spec := wanted("site")
	must(t, e.Create(t.Context(), spec))
	must(t, e.Create(t.Context(), spec))
	spec.Image = imageID // the same, by content
	must(t, e.Create(t.Context(), spec))
	other := wanted("site")
	other.Labels[tenants.LabelOperation] = "another"
	wants(t, "another label", e.Create(t.Context(), other), tenants.ErrConflict)
	d.addImage("chatiere/wordpress:2", "sha256:2222")
	other = wanted("site")
	other.Image = "chatiere/wordpress:2"
	wants(t, "another image", e.Create(t.Context(), other), tenants.ErrConflict)
	other.Name, other.Image = "new", "chatiere/never-built:1"
	wants(t, "an image that is not there", e.Create(t.Context(), other), tenants.ErrNotFound)
}

func TestARemovalBySomebodyElseIsWaitedFor(t *testing.T) {
	d, e := newDaemon(t)
	must(t, e.Create(t.Context(), wanted("site")))
	d.busy = 1
	must(t, e.Remove(t.Context(), "site"))
	if _, err := e.Inspect(t.Context(), "site"); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("returned while it was there: %v", err)
	}
	must(t, e.Create(t.Context(), wanted("site")))
	d.fail["DELETE /site"] = http.StatusConflict // a removal that never ends
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wants(t, "waiting for it", e.Remove(ctx, "site"), tenants.ErrConflict)
}

func TestEachFailureOfTheEngineIsToldByItsKind(t *testing.T) {
	for status, want := range map[int]error{
		http.StatusNotFound: tenants.ErrNotFound, http.StatusConflict: tenants.ErrConflict, http.StatusForbidden: tenants.ErrRefused,
		http.StatusServiceUnavailable: tenants.ErrUnavailable,
	} {
		for what, ask := range map[string]func(*docker.Engine) error{
			"GET /info":            func(e *docker.Engine) error { _, err := e.Info(t.Context()); return err },
			"GET /containers/json": func(e *docker.Engine) error { _, err := e.List(t.Context(), nil); return err },
			"GET /site/json": func(e *docker.Engine) error {
				_, err := e.Inspect(t.Context(), "site")
				_, err2 := e.ContainerConfig(t.Context(), "site")
				_, err3 := e.Specification(t.Context(), "site")
				_, err4 := e.Drift(t.Context(), "site", wanted("site"))
				for _, x := range []error{err2, err3, err4} {
					wants(t, "what asks for it too", x, want)
				}
				return err
			},
			"GET sha256:1111/json":  func(e *docker.Engine) error { _, err := e.Specification(t.Context(), "site"); return err },
			"GET /wordpress:1/json": func(e *docker.Engine) error { _, err := e.Drift(t.Context(), "site", wanted("site")); return err },
			"GET /site/logs":        func(e *docker.Engine) error { _, err := e.LogTail(t.Context(), "site", 10); return err },
			"POST /site/start":      func(e *docker.Engine) error { return e.Start(t.Context(), "site") },
			"POST /site/rename":     func(e *docker.Engine) error { return e.Rename(t.Context(), "site", "b") },
		} {
			d, e := newDaemon(t)
			must(t, e.Create(t.Context(), wanted("site")))
			d.fail[what] = status
			wants(t, what, ask(e), want)
		}
	}
}

func TestSpecificationIsTheInverseOfCreate(t *testing.T) {
	_, e := newDaemon(t)
	want := wanted("site")
	must(t, e.Create(t.Context(), want))
	got, err := e.Specification(t.Context(), "site")
	must(t, err)
	want.Image = imageID
	if !reflect.DeepEqual(got, want) {
		t.Errorf("made as\n%+v\nit is told as\n%+v", want, got)
	}
	own := wanted("own")
	own.Entrypoint, own.Command, own.StopSignal, own.PidsLimit = []string{"/own"}, []string{"-v"}, "SIGUSR1", 0
	must(t, e.Create(t.Context(), own))
	if got, err = e.Specification(t.Context(), "own"); err != nil || !slices.Equal(got.Entrypoint, own.Entrypoint) ||
		!slices.Equal(got.Command, own.Command) || got.StopSignal != "SIGUSR1" || got.PidsLimit != 0 {
		t.Errorf("got %+v (%v)", got, err)
	}
}

func TestDriftNamesEachSettingThatDiffers(t *testing.T) {
	d, e := newDaemon(t)
	d.addImage("chatiere/wordpress:2", "sha256:2222")
	for name, c := range map[string]struct {
		change func(*tenants.ContainerSpec)
		want   []string
	}{
		"nothing":     {func(*tenants.ContainerSpec) {}, nil},
		"image":       {func(s *tenants.ContainerSpec) { s.Image, s.User = "chatiere/wordpress:2", "1:1" }, []string{"Image"}},
		"user":        {func(s *tenants.ContainerSpec) { s.User = "1:1" }, []string{"User"}},
		"environment": {func(s *tenants.ContainerSpec) { s.Env = []string{"SITE=s2"} }, []string{"Env"}},
		"overridden":  {func(s *tenants.ContainerSpec) { s.Env = append(s.Env, "LANG=fr") }, []string{"Env"}},
		"entrypoint":  {func(s *tenants.ContainerSpec) { s.Entrypoint = []string{"/other"} }, []string{"Cmd", "Entrypoint"}},
		"command":     {func(s *tenants.ContainerSpec) { s.Command = []string{"other"} }, []string{"Cmd", "Entrypoint"}},
		"memory":      {func(s *tenants.ContainerSpec) { s.MemoryBytes = 1 << 20 }, []string{"Memory", "MemorySwap"}},
		"no limit":    {func(s *tenants.ContainerSpec) { s.PidsLimit = 0 }, []string{"PidsLimit"}},
		"root":        {func(s *tenants.ContainerSpec) { s.ReadOnlyRoot = false }, []string{"ReadonlyRootfs"}},
		"mounts":      {func(s *tenants.ContainerSpec) { s.Mounts = s.Mounts[:1] }, []string{"Mounts"}},
		"restart":     {func(s *tenants.ContainerSpec) { s.RestartPolicy = "no" }, []string{"RestartPolicy"}},
	} {
		spec := wanted("site-" + strings.ReplaceAll(name, " ", ""))
		must(t, e.Create(t.Context(), spec))
		c.change(&spec)
		if got, err := e.Drift(t.Context(), spec.Name, spec); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, c.want)
		}
	}
}

func TestWhatTheEngineFillsInIsNoDrift(t *testing.T) {
	d, e := newDaemon(t)
	must(t, e.Create(t.Context(), wanted("site")))
	host := d.containers["site"].HostConfig
	host.ShmSize, host.Runtime, host.CgroupnsMode, host.MaskedPaths = 64<<20, "runc", "private", []string{"/proc/kcore"}
	host.MemorySwap = -1                                                                 // a kernel without it
	host.Binds, host.DNS, host.Annotations = []string{}, []string{}, map[string]string{} // nothing, in other words
	if got, err := e.Drift(t.Context(), "site", wanted("site")); err != nil || len(got) > 0 {
		t.Errorf("differs in %v (%v)", got, err)
	}
	host.Privileged = true // what we never thought of
	if got, err := e.Drift(t.Context(), "site", wanted("site")); err != nil || !slices.Equal(got, []string{"Privileged"}) {
		t.Errorf("differs in %v (%v)", got, err)
	}
}

// joined makes a container on two networks and returns its configuration.
func joined(t *testing.T, d *daemon, e *docker.Engine) json.RawMessage {
	t.Helper()
	spec := wanted("keycloak")
	spec.Network = "inner"
	must(t, e.Create(t.Context(), spec))
	d.networks["inner"] = network.CreateRequest{Name: "inner", CreateOptions: network.CreateOptions{Driver: "bridge", Internal: true}}
	d.networks["outer"] = network.CreateRequest{Name: "outer", CreateOptions: network.CreateOptions{Driver: "bridge"}}
	c := d.containers["keycloak"]
	c.NetworkSettings.Networks = map[string]*network.EndpointSettings{
		"inner": {Aliases: []string{"keycloak", c.ID[:12], "id"}}, "outer": {Aliases: []string{c.ID[:12]}}, "host": {},
	}
	raw, err := e.ContainerConfig(t.Context(), "keycloak")
	must(t, err)
	return raw
}

func TestAContainerIsMadeAgainFromItsConfiguration(t *testing.T) {
	d, e := newDaemon(t)
	raw := joined(t, d, e)
	if labels, err := e.ConfigLabels(raw); err != nil || labels[tenants.LabelSite] != "s1" {
		t.Errorf("labels %v (%v)", labels, err)
	}
	wants(t, "while it is there", e.CreateFromConfig(t.Context(), "keycloak", raw), tenants.ErrConflict)
	must(t, e.Remove(t.Context(), "keycloak"))
	delete(d.networks, "outer")
	must(t, e.CreateFromConfig(t.Context(), "keycloak", raw))
	if n := d.networks["outer"]; n.Driver != "bridge" || n.Internal || !d.networks["inner"].Internal {
		t.Errorf("the networks are %+v", d.networks)
	}
	c := d.containers["keycloak"]
	if got := c.NetworkSettings.Networks; len(got) != 2 || !slices.Equal(got["inner"].Aliases, []string{"id", "keycloak"}) || len(got["outer"].Aliases) != 0 {
		t.Errorf("it joins %+v", got)
	}
	if c.Config.Image != imageRef {
		t.Errorf("it has image %s", c.Config.Image)
	}
	again, err := e.ContainerConfig(t.Context(), "keycloak")
	must(t, err)
	if drift, err := e.ConfigDrift(raw, again); err != nil || len(drift) > 0 {
		t.Errorf("it differs in %v (%v)", drift, err)
	}
}

func TestAConfigurationKeepsItsImageWhenTheReferenceMovesOn(t *testing.T) {
	d, e := newDaemon(t)
	raw := joined(t, d, e)
	for name, change := range map[string]func(){
		"another image has the reference": func() { d.addImage(imageRef, "sha256:2222") },
		"the reference is gone":           func() { delete(d.images, imageRef) },
	} {
		must(t, e.Remove(t.Context(), "keycloak"))
		change()
		must(t, e.CreateFromConfig(t.Context(), "keycloak", raw))
		if got := d.containers["keycloak"].Image; got != imageID {
			t.Errorf("%s: made of %s", name, got)
		}
	}
	must(t, e.Remove(t.Context(), "keycloak"))
	delete(d.images, imageID)
	wants(t, "the image is gone", e.CreateFromConfig(t.Context(), "keycloak", raw), tenants.ErrNotFound)
	d.fail["GET /wordpress:1/json"] = http.StatusServiceUnavailable
	wants(t, "nobody knows what the reference means", e.CreateFromConfig(t.Context(), "keycloak", raw), tenants.ErrUnavailable)
}

func TestAConfigurationThatIsNotWholeOrNotOursIsRefused(t *testing.T) {
	d, e := newDaemon(t)
	raw := joined(t, d, e)
	foreign := strings.ReplaceAll(string(raw), `"`+tenants.LabelInstance+`":"lilas"`, `"`+tenants.LabelInstance+`":"other"`)
	for _, text := range []string{foreign, `{`, `{}`, `{"Config":{}}`, `{"HostConfig":{}}`} {
		wants(t, "making "+text[:min(20, len(text))], e.CreateFromConfig(t.Context(), "x", json.RawMessage(text)), tenants.ErrInvalid)
	}
	for _, pair := range [][2]string{{"{}", string(raw)}, {string(raw), "{}"}} {
		_, err := e.ConfigDrift(json.RawMessage(pair[0]), json.RawMessage(pair[1]))
		wants(t, "comparing", err, tenants.ErrInvalid)
	}
	d.fail["GET /inner"] = http.StatusServiceUnavailable
	_, err := e.ContainerConfig(t.Context(), "keycloak")
	wants(t, "a network that cannot be read", err, tenants.ErrUnavailable)
	wants(t, "making it then", e.CreateFromConfig(t.Context(), "x", raw), tenants.ErrUnavailable)
}

func TestConfigDriftNamesWhatWasChanged(t *testing.T) {
	d, e := newDaemon(t)
	raw := joined(t, d, e)
	c := d.containers["keycloak"]
	c.Image = "sha256:2222"
	c.Config.User, c.Config.Hostname = "0", "named"
	c.Config.Env = append(c.Config.Env[1:], c.Config.Env[0]) // another order
	c.HostConfig.CapDrop = []string{"CAP_ALL"}               // another way to write it
	c.HostConfig.CapAdd = []string{"CHOWN"}
	c.HostConfig.Memory = 0
	c.NetworkSettings.Networks["outer"].Aliases = []string{"more"}
	changed, err := e.ContainerConfig(t.Context(), "keycloak")
	must(t, err)
	want := []string{"CapAdd", "Image", "Memory", "Networks", "User"}
	if got, err := e.ConfigDrift(raw, changed); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

func TestListsAskForLabelsAndTellHealth(t *testing.T) {
	d, e := newDaemon(t)
	must(t, e.Create(t.Context(), wanted("site")))
	for status, want := range map[string]string{
		"Up 2 minutes (healthy)": "healthy", "Up 2 minutes (unhealthy)": "unhealthy", "Up 1 second (health: starting)": "starting", "Up 2 minutes": "",
	} {
		d.out = status
		got, err := e.List(t.Context(), map[string]string{tenants.LabelInstance: instance, tenants.LabelSite: ""})
		if err != nil || len(got) != 1 || got[0].Health != want || got[0].Name != "site" || got[0].State != "created" || got[0].Running() {
			t.Errorf("%s: %+v (%v)", status, got, err)
		}
	}
	if got := d.filters["label"]; len(got) != 2 || !got[tenants.LabelInstance+"="+instance] || !got[tenants.LabelSite] {
		t.Errorf("asked for %v", got)
	}
	if _, err := e.List(t.Context(), nil); err != nil || len(d.filters) != 0 {
		t.Errorf("without labels, asked for %v (%v)", d.filters, err)
	}
}

func TestACommandsOutputAndCodeAreReturned(t *testing.T) {
	d, e := newDaemon(t)
	d.out, d.code = "hello", 3
	must(t, e.Create(t.Context(), wanted("site")))
	got, err := e.Exec(t.Context(), "site", tenants.Exec{Command: []string{"php", "-v"}, Timeout: 1500 * time.Millisecond})
	if err != nil || got.Output != "hello" || got.Stderr != "hello (error)" || got.ExitCode != 3 {
		t.Errorf("got %+v (%v)", got, err)
	}
	if !slices.Contains(d.asked, "timeout -k 5 1.5 php -v") {
		t.Errorf("ran %v", d.asked)
	}
	var out strings.Builder
	if got, err = e.Exec(t.Context(), "site", tenants.Exec{Command: []string{"x"}, Stdout: &out}); err != nil || got.Output != "" || out.String() != "hello" {
		t.Errorf("got %+v and %q (%v)", got, out.String(), err)
	}
	if !slices.Contains(d.asked, "timeout -k 5 600 x") {
		t.Errorf("without a limit it ran %v", d.asked)
	}
	for _, d.code = range []int{124, 137} { // what timeout says, but the time was not over
		if got, err := e.Exec(t.Context(), "site", tenants.Exec{Command: []string{"x"}, Timeout: time.Minute}); err != nil || got.ExitCode != d.code {
			t.Errorf("got %+v (%v)", got, err)
		}
		_, err := e.Exec(t.Context(), "site", tenants.Exec{Command: []string{"x"}, Timeout: time.Nanosecond})
		wants(t, "after its time", err, context.DeadlineExceeded)
	}
	d.fail["POST /exec"] = http.StatusConflict
	_, err = e.Exec(t.Context(), "site", tenants.Exec{Command: []string{"php", "-v"}})
	wants(t, "in a container that does not run", err, tenants.ErrUnavailable)
	if !strings.Contains(err.Error(), `running "php" in container site`) {
		t.Errorf("told as %v", err)
	}
	delete(d.fail, "POST /exec")
	d.fail["POST /start"] = http.StatusNotFound
	if _, err = e.Exec(t.Context(), "site", tenants.Exec{Command: []string{"x"}}); err == nil {
		t.Error("streams that cannot be opened are no error")
	}
	delete(d.fail, "POST /start")
	d.fail["GET /x1/json"] = http.StatusInternalServerError
	if _, err = e.Exec(t.Context(), "site", tenants.Exec{Command: []string{"x"}}); err == nil {
		t.Error("a code that cannot be read is no error")
	}
}

func TestAContainerIsRunOnceAndRemoved(t *testing.T) {
	d, e := newDaemon(t)
	d.out, d.code = "dump", 2
	must(t, e.Create(t.Context(), wanted("once"))) // a killed predecessor's
	var out strings.Builder
	got, err := e.RunOnce(t.Context(), wanted("once"), &out)
	if err != nil || got.ExitCode != 2 || out.String() != "dump" || got.Stderr != "dump (error)" || len(d.containers) != 0 {
		t.Errorf("got %+v and %q (%v), left are %v", got, out.String(), err, d.containers)
	}
	for _, what := range []string{"POST /create", "POST /attach", "POST /start", "POST /wait"} {
		d.fail = map[string]int{what: http.StatusServiceUnavailable}
		if _, err := e.RunOnce(t.Context(), wanted("once"), io.Discard); err == nil || len(d.containers) != 0 {
			t.Errorf("%s fails: %v, left are %v", what, err, d.containers)
		}
	}
}

func TestTheEngineAndLogsAreTold(t *testing.T) {
	d, e := newDaemon(t)
	d.out = "  words "
	info, err := e.Info(t.Context())
	if want := (tenants.EngineInfo{Version: "28.0", APIVersion: info.APIVersion, LiveRestore: true, CgroupVersion: "2", Root: "/var/lib/docker"}); err != nil || info != want {
		t.Errorf("got %+v (%v)", info, err)
	}
	must(t, e.Create(t.Context(), wanted("site")))
	if got, err := e.LogTail(t.Context(), "site", 10); err != nil || got != "words   words  (error)" {
		t.Errorf("got %q (%v)", got, err)
	}
}

func TestABuildIsFollowedToItsEndOrItsError(t *testing.T) {
	d, e := newDaemon(t)
	d.out = `{"stream":"Step 1\n"}{"status":"Pulling"}{"stream":"done\n"}`
	var lines strings.Builder
	id, err := e.Build(t.Context(), "chatiere/x:1", "Dockerfile.app", strings.NewReader("context"), map[string]string{"A": "1"}, &lines)
	if err != nil || id != "sha256:3333" || lines.String() != "Step 1\nPulling\ndone\n" {
		t.Errorf("built %s (%v), told %q", id, err, lines.String())
	}
	if !slices.Contains(d.asked, `context chatiere/x:1 Dockerfile.app {"A":"1"}`) {
		t.Errorf("asked for %v", d.asked)
	}
	if _, err := e.Build(t.Context(), "chatiere/x:1", "Dockerfile.app", strings.NewReader(""), nil, nil); err != nil {
		t.Errorf("with nobody who listens: %v", err)
	}
	d.out = `{"stream":"Step 1\n"}{"error":"no such file"}`
	_, err = e.Build(t.Context(), "chatiere/x:1", "Dockerfile.app", strings.NewReader(""), nil, io.Discard)
	wants(t, "a step that fails", err, docker.ErrBuild)
	for what, out := range map[string]string{"an answer that breaks off": `{"stream":"St`, "nonsense": "x"} {
		d.out = out
		if _, err := e.Build(t.Context(), "chatiere/x:1", "Dockerfile.app", strings.NewReader(""), nil, io.Discard); err == nil {
			t.Errorf("%s is no error", what)
		}
	}
	d.fail["POST /build"] = http.StatusServiceUnavailable
	_, err = e.Build(t.Context(), "chatiere/x:1", "Dockerfile.app", strings.NewReader(""), nil, io.Discard)
	wants(t, "a builder that is away", err, tenants.ErrUnavailable)
}

func TestAnImageIsPulledByItsDigest(t *testing.T) {
	d, e := newDaemon(t)
	ref := "registry.example/app@sha256:" + strings.Repeat("0f", 32)
	d.out = `{"status":"Pulling from app"}{"status":"Download complete"}`
	var lines strings.Builder
	if id, err := e.Pull(t.Context(), ref, &lines); err != nil || id != "sha256:4444" || !strings.Contains(lines.String(), "Download complete") {
		t.Errorf("pulled %s (%v), told %q", id, err, lines.String())
	}
	// The answer has status 200 by the time the registry refuses.
	d.out = `{"status":"Pulling from app"}{"error":"manifest unknown"}`
	_, err := e.Pull(t.Context(), ref, nil)
	wants(t, "a registry that refuses", err, docker.ErrPull)
	d.fail["POST /images/create"] = http.StatusServiceUnavailable
	_, err = e.Pull(t.Context(), ref, nil)
	wants(t, "an engine that is away", err, tenants.ErrUnavailable)
}
