//go:build integration

package catalogue_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/catalogue"
	"chatiere/templates"
	"chatiere/templates/templatestest"
	"chatiere/tenants"
	"chatiere/tenants/disk"
	"chatiere/tenants/docker"
	"chatiere/tenants/operations"
	"chatiere/tenants/probe"
	"chatiere/tenants/provision"
	"chatiere/tenants/provision/provisiontest"
)

// pod is a co-op on the real engine and disk; records, databases, routes and egress lists are stand-ins.
type pod struct {
	root    string
	engine  *docker.Engine
	records *provisiontest.Records
	plans   *provision.Plans
	desk    *provision.Provisioner
	private probe.Private
	admin   provision.Request
}

func newPod(t *testing.T) *pod {
	t.Helper()
	root, err := os.MkdirTemp("", "pod") // short: a socket's path is bounded
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	must(t, os.Chmod(root, 0o755))
	must(t, os.Mkdir(filepath.Join(root, "sites"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "sites", "hosts"), []byte(templates.HostsFile), 0o644))
	must(t, os.WriteFile(filepath.Join(root, "sites", "resolv.conf"), []byte(templates.ResolvConf), 0o644))
	instance, quiet := "test-"+strings.ToLower(rand.Text()[:10]), slog.New(slog.NewTextHandler(t.Output(), nil))
	engine, err := docker.New(docker.Options{Host: "unix:///var/run/docker.sock", Instance: instance, Log: quiet})
	must(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	p := &pod{root: root, engine: engine, records: provisiontest.NewRecords(time.Now), admin: provision.Request{Principal: tenants.Local()}}
	t.Cleanup(func() { p.removeAll(t, instance) })
	p.private = probe.Private{Dial: func(ctx context.Context, s tenants.Site) (net.Conn, error) {
		socket := filepath.Join(root, "run/app", s.ID, s.Release.Sockets, "http/http.sock")
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	p.plans = provisiontest.NewWorld(p.records).Plans(time.Now)
	p.plans.Instance, p.plans.Engine, p.plans.Log = instance, engine, quiet
	p.plans.Disk = disk.New(disk.Options{Root: root, ProxyGID: 64010, GatewayUID: 64030, DatabaseUID: 64040})
	p.plans.Private, p.plans.Public = p.private, p.private
	p.limit(t, templates.Limits{})
	must(t, p.records.CreateAssociation(t.Context(), tenants.Association{ID: "a00000001", Slug: "amap", Name: "Amap", State: tenants.AssociationActive}))
	return p
}

// limit sets the co-op's limits, of which releases are made from now on.
func (p *pod) limit(t *testing.T, limits templates.Limits) {
	t.Helper()
	c := catalogueOf(t, p.engine, templatestest.Catalogue(), func(s *catalogue.Settings) { s.Root, s.Limits = p.root, limits })
	p.plans.Templates = c
	p.desk = &provision.Provisioner{
		Records: p.records, Queue: p.records, Registry: p.plans.Registry(), Catalogue: c, Now: time.Now,
		Hosts: tenants.Hosts{Domain: "lilas.example"},
	}
}

// removeAll removes what a failed test left, and the images.
func (p *pod) removeAll(t *testing.T, instance string) {
	ctx := context.Background()
	left, err := p.engine.List(ctx, map[string]string{tenants.LabelInstance: instance})
	if err != nil {
		t.Error(err)
	}
	for _, c := range left {
		if err := p.engine.Remove(ctx, c.Name); err != nil {
			t.Error(err)
		}
	}
	for _, image := range []string{"chatiere/carnet-db", "chatiere/carnet-app"} {
		tags, err := exec.Command("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", image).Output()
		if err != nil {
			t.Error(err)
		}
		for _, tag := range strings.Fields(string(tags)) {
			if out, err := exec.Command("docker", "rmi", tag).CombinedOutput(); err != nil {
				t.Errorf("removing %s: %s", tag, out)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// done runs an operation to its end.
func (p *pod) done(t *testing.T, op operations.Operation, err error) string {
	t.Helper()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	runner := &operations.Runner{
		Store: p.records, Registry: p.desk.Registry, Owner: "w", Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Idle: 20 * time.Millisecond,
	}
	over := make(chan struct{})
	go func() { defer close(over); runner.Run(ctx) }()
	defer func() { cancel(); <-over }()
	for ; ; time.Sleep(20 * time.Millisecond) { // polls a condition, with a deadline
		got, err := p.records.Operation(t.Context(), op.ID)
		must(t, err)
		switch {
		case got.State == operations.Done:
			return got.SiteID
		case got.State.Ended() || got.State == operations.Stuck || ctx.Err() != nil:
			t.Fatalf("%s is %s: %s, %s", got.Kind, got.State, got.Problem, got.Detail)
		}
	}
}

func (p *pod) site(t *testing.T, id string) tenants.Site {
	t.Helper()
	s, err := p.records.Site(t.Context(), id)
	must(t, err)
	return s
}

// page asks the site on the socket that the proxy knows, until it answers with want.
func (p *pod) page(t *testing.T, id, path, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // polls a condition
		status, body, err := p.private.Read(t.Context(), p.site(t, id), path)
		if err == nil && status == 200 && strings.Contains(string(body), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s gave %d, %q (%v), want %q", path, status, body, err, want)
		}
	}
}

// says runs a command in a container of the site.
func (p *pod) says(t *testing.T, id, container string, command ...string) tenants.ExecResult {
	t.Helper()
	out, err := p.engine.Exec(t.Context(), p.site(t, id).Release.Named(container).Container, tenants.Exec{Command: command, Timeout: 30 * time.Second})
	must(t, err)
	return out
}

func TestASiteOfSeveralContainersLivesOnTheRealEngine(t *testing.T) {
	p := newPod(t)
	op, err := p.desk.CreateSite(t.Context(), p.admin, provision.NewSite{Association: "amap", Template: "carnet", Name: "Carnet", Host: "carnet", AdminEmail: "a@b.example"})
	id := p.done(t, op, err)
	p.page(t, id, "/", "<title>carnet</title>")
	p.page(t, id, "/cgi-bin/notes?bonjour", "bonjour")
	p.confined(t, id)

	owner := p.site(t, id).Release.Named(templates.NetworkContainer).Container
	must(t, p.engine.Stop(t.Context(), owner, time.Second))
	must(t, p.engine.Start(t.Context(), owner))
	p.repaired(t, id)
	p.page(t, id, "/cgi-bin/notes", "bonjour")
	must(t, p.engine.Remove(t.Context(), owner))
	p.repaired(t, id)
	p.page(t, id, "/cgi-bin/notes?encore", "bonjour\nencore")
	for _, c := range p.site(t, id).Release.Containers { // as after a restart of the engine that started none
		must(t, p.engine.Stop(t.Context(), c.Container, 10*time.Second))
	}
	p.repaired(t, id)
	p.page(t, id, "/cgi-bin/notes", "encore")

	p.limit(t, templates.Limits{Memory: 96 * templates.MiB})
	op, err = p.desk.UpdateSite(t.Context(), p.admin, id, "")
	p.done(t, op, err)
	if got := p.site(t, id).Release; got.Number != 2 {
		t.Errorf("updated, it has release %d", got.Number)
	}
	p.page(t, id, "/cgi-bin/notes", "encore")
	if dump, err := p.plans.RunHook(t.Context(), p.site(t, id), "dump"); err != nil || !strings.Contains(dump, "encore") {
		t.Errorf("the dump is %q (%v)", dump, err)
	}
	for _, do := range []func(context.Context, provision.Request, string) (operations.Operation, error){
		p.desk.SuspendSite, p.desk.ResumeSite, p.desk.DeleteSite, p.desk.RestoreSite,
	} {
		op, err := do(t.Context(), p.admin, id)
		p.done(t, op, err)
	}
	p.page(t, id, "/cgi-bin/notes", "encore")
	for _, do := range []func(context.Context, provision.Request, string) (operations.Operation, error){p.desk.DeleteSite, p.desk.PurgeSite} {
		op, err := do(t.Context(), p.admin, id)
		p.done(t, op, err)
	}
	p.nothingLeft(t, id)
}

// An image that was built or loaded on the server has no digest of a registry: its own id stands for it.
func TestAReadyImageThatIsOnTheServerIsNotPulled(t *testing.T) {
	engine, err := docker.New(docker.Options{Host: "unix:///var/run/docker.sock", Instance: "test", Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	id, err := engine.ImageID(t.Context(), debianBase)
	must(t, err)
	c := catalogueOf(t, engine, ready(t, "nowhere.invalid/app@"+id), nil)
	if images, err := c.Images(t.Context(), "vitrine", "1", io.Discard); err != nil || images["web"] != id || images[templates.NetworkContainer] == "" {
		t.Errorf("found %v (%v)", images, err)
	}
	missing := catalogueOf(t, engine, ready(t, "nowhere.invalid/app@"+digest("9111")), nil)
	if images, err := missing.Images(t.Context(), "vitrine", "1", io.Discard); err == nil {
		t.Errorf("found %v, which is nowhere", images)
	}
}

// confined fails if the site sees anything but itself.
func (p *pod) confined(t *testing.T, id string) {
	t.Helper()
	for _, c := range []string{"net", "db", "app"} {
		out := p.says(t, id, c, "sh", "-c", "tail -n +3 /proc/net/dev; tail -n +2 /proc/net/route; grep -E '^Cap(Eff|Bnd)|^NoNewPrivs' /proc/self/status; id -u; touch /x 2>&1; cat /etc/resolv.conf")
		lines := strings.Split(out.Output, "\n")
		if !strings.HasPrefix(strings.TrimSpace(lines[0]), "lo:") || !strings.HasPrefix(lines[1], "Cap") {
			t.Errorf("%s has the network %q", c, out.Output)
		}
		for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "\n200000\n", "Read-only file system", "127.0.0.1"} {
			if !strings.Contains(out.Output, want) {
				t.Errorf("%s: no %q in %q", c, want, out.Output)
			}
		}
	}
	for _, address := range []string{"http://172.17.0.1/", "http://1.1.1.1/", "http://deb.debian.org/", "http://127.66.0.1/"} {
		if out := p.says(t, id, "app", "busybox", "wget", "-T", "5", "-O", "-", address); out.ExitCode == 0 {
			t.Errorf("%s was reached: %s", address, out.Output)
		}
	}
	if out := p.says(t, id, "app", "busybox", "wget", "-O", "-", "http://127.0.0.1:8080/"); out.ExitCode != 0 {
		t.Errorf("it does not reach itself: %s", out.Stderr)
	}
}

// repaired has the reconciler look at a site, and carries out what it asks for.
func (p *pod) repaired(t *testing.T, id string) {
	t.Helper()
	r := &provision.Reconciler{
		Plans: p.plans, Queue: p.records, Registry: p.desk.Registry, Nudge: func() {},
		Silent: func(string) time.Time { return time.Time{} },
	}
	must(t, r.ReconcileSites(t.Context(), []string{id}))
	ops, err := p.records.Operations(t.Context(), operations.Filter{SiteID: id, LiveOnly: true})
	if err != nil || len(ops) != 1 || ops[0].Kind != provision.KindSiteRepair {
		t.Fatalf("the reconciler asked for %v (%v)", ops, err)
	}
	p.done(t, ops[0], nil)
	must(t, r.ReconcileSites(t.Context(), []string{id}))
	if ops, err := p.records.Operations(t.Context(), operations.Filter{SiteID: id, LiveOnly: true}); err != nil || len(ops) > 0 {
		t.Fatalf("repaired, it asks for %v (%v)", ops, err)
	}
}

func (p *pod) nothingLeft(t *testing.T, id string) {
	t.Helper()
	left, err := p.engine.List(t.Context(), map[string]string{tenants.LabelInstance: p.plans.Instance})
	if err != nil || len(left) > 0 {
		t.Errorf("containers are left: %v (%v)", left, err)
	}
	for _, place := range []string{"sites", "run/app", "run/mariadb-sites"} {
		if _, err := os.Lstat(filepath.Join(p.root, place, id)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left (%v)", place, err)
		}
	}
}
