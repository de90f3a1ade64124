//go:build integration

package diskguard_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/disk"
	"chatiere/tenants/diskguard"
	"chatiere/tenants/docker"
	"chatiere/tenants/freeze"
	"chatiere/tenants/operations"
	"chatiere/tenants/provision"
)

const (
	hostileSite = "s000000001"
	quietSite   = "s000000002"
)

// server is a data root on a small file system of its own, with two sites in real containers.
type server struct {
	t        *testing.T
	root     string
	instance string
	engine   *docker.Engine
	disk     *disk.Disk

	mu       sync.Mutex
	state    map[string]tenants.SiteState
	uid      map[string]int
	findings []tenants.Finding
	least    diskguard.Space // what was free at the worst moment
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, root: smallDisk(t), instance: "reserve-" + strings.ToLower(rand.Text()[:8]), state: map[string]tenants.SiteState{}, uid: map[string]int{}}
	var err error
	s.engine, err = docker.New(docker.Options{Host: "unix:///var/run/docker.sock", Instance: s.instance, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { _ = s.engine.Close() })
	s.disk = disk.New(disk.Options{Root: s.root, ProxyGID: 64010, GatewayUID: 64030, Reserve: 64 * mib})
	return s
}

// smallDisk mounts 512 MiB with room for 20,000 files.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image, at := filepath.Join(dir, "disk"), filepath.Join(dir, "root")
	must(t, os.Mkdir(at, 0o755))
	run(t, "truncate", "-s", "512M", image)
	run(t, "mkfs.ext4", "-q", "-m", "0", "-N", "20000", image)
	if out, err := exec.Command("mount", "-o", "loop", image, at).CombinedOutput(); err != nil {
		t.Fatalf("this machine has no loop device for a disk to fill: run \"modprobe loop\", or start the container with --device /dev/loop-control and its rule \"b 7:* rwm\" (%v: %s)", err, out)
	}
	t.Cleanup(func() { run(t, "umount", "-l", at) })
	return at
}

func run(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start makes a site whose container does what it likes with its data.
func (s *server) start(id string, uid int, script string) {
	s.t.Helper()
	ctx := context.Background()
	must(s.t, s.disk.Ensure(ctx, tenants.Site{ID: id, UID: uid}))
	image := os.Getenv("CHATIERE_BASE_IMAGE")
	if image == "" {
		image = "chatiere/base:trixie"
	}
	name := provision.FirstContainerName(s.instance, id)
	must(s.t, s.engine.Create(ctx, tenants.ContainerSpec{
		Name: name, Image: image, Entrypoint: []string{"sh", "-c", script}, User: fmt.Sprintf("%d:%d", uid, uid), Network: "none", RestartPolicy: "unless-stopped",
		Labels: map[string]string{tenants.LabelInstance: s.instance, tenants.LabelSite: id}, ReadOnlyRoot: true, MemoryBytes: 128 * mib, PidsLimit: 64,
		Mounts: []tenants.Mount{
			{Source: filepath.Join(s.root, "sites", id, "data"), Target: "/data"},
			{Source: filepath.Join(s.root, "run/app", id, "http"), Target: "/http"},
		},
	}))
	s.t.Cleanup(func() { must(s.t, s.engine.Remove(context.Background(), name)) })
	must(s.t, s.engine.Start(ctx, name))
	s.state[id], s.uid[id] = tenants.StateReady, uid
}

func (s *server) LiveSites(context.Context) ([]tenants.Site, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []tenants.Site
	for id, state := range s.state {
		out = append(out, tenants.Site{ID: id, UID: s.uid[id], State: state})
	}
	return out, nil
}

func (s *server) Findings(context.Context, tenants.FindingFilter) ([]tenants.Finding, error) {
	return s.findings, nil
}

func (s *server) Replace(_ context.Context, _ tenants.FindingScope, seen []tenants.Finding) error {
	s.findings = seen
	return nil
}

func (s *server) KeepSuspended(context.Context, provision.Request, string) error { return nil }

func (s *server) Operation(_ context.Context, id string) (operations.Operation, error) {
	return operations.Operation{ID: id, State: operations.Done}, nil
}
func (s *server) SuspendSite(_ context.Context, _ provision.Request, id string) (operations.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state[id] = tenants.StateSuspended
	return operations.Operation{}, nil
}

func (s *server) SiteUsage(ctx context.Context, x tenants.Site) (diskguard.Usage, error) {
	return s.disk.SiteUsage(ctx, x)
}

func (s *server) Clean(ctx context.Context, x tenants.Site) error { return s.disk.Clean(ctx, x) }

func (s *server) Written(ctx context.Context, sites []tenants.Site) (map[string]int64, error) {
	return s.disk.Written(ctx, sites)
}

func (s *server) Space(ctx context.Context) (diskguard.Space, error) {
	space, err := s.disk.Space(ctx)
	if s.least.Total == 0 || space.Free < s.least.Free || space.Files < s.least.Files {
		s.least = space
	}
	return space, err
}

// watch looks every second, as the worker does, until the hostile site is frozen.
func (s *server) watch(limit time.Duration) {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &diskguard.Guard{Disk: s, Records: s, Reserve: 64 * mib, Now: time.Now, Log: log, Freezer: &freeze.Freezer{
		Records: s, Requests: s, Findings: s, Area: tenants.AreaDisk, Code: tenants.FindingSiteFrozen, Now: time.Now, Log: log,
		Stop: func(ctx context.Context, x tenants.Site) error {
			return s.engine.Stop(ctx, provision.FirstContainerName(s.instance, x.ID), 0)
		}}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
		must(s.t, w.Check(s.t.Context()))
		if s.state[hostileSite] == tenants.StateSuspended {
			return
		}
	}
	s.t.Fatal("the site went on filling the disk")
}

func (s *server) running(id string) bool {
	c, err := s.engine.Inspect(s.t.Context(), provision.FirstContainerName(s.instance, id))
	must(s.t, err)
	return c.Running()
}

// What hostile code does to the disk ends before its neighbour, or the databases, could feel it.
func TestOnARealDiskAFillingSiteIsFrozenAndItsNeighbourGoesOn(t *testing.T) {
	for name, script := range map[string]string{
		"bytes":                           `i=0; while :; do i=$((i+1)); head -c 4194304 /dev/zero >/data/f$i; sleep 0.1; done`,
		"one long file":                   `while :; do head -c 4194304 /dev/zero >>/data/f; sleep 0.1; done`,
		"files":                           `mkdir /data/d; i=0; while :; do i=$((i+1)); : >/data/d/$i; [ $((i % 100)) -ne 0 ] || sleep 0.05; done`,
		"where its sockets are":           `while :; do head -c 4194304 /dev/zero >>/http/fill; sleep 0.1; done`,
		"a file without a name":           `exec 3>/data/f; rm /data/f; while :; do head -c 4194304 /dev/zero >&3; sleep 0.1; done`,
		"a name for each of many writers": `i=0; while :; do i=$((i+1)); (exec 3>/data/f$i; rm /data/f$i; head -c 16777216 /dev/zero >&3; sleep 600) & sleep 0.5; [ $i -lt 28 ] || wait; done`,
		"deep files":                      `cd /data; while :; do mkdir d && cd d || exit; head -c 262144 /dev/zero >f; done`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.start(quietSite, 200002, `set -e; while :; do date +%s >/data/beat.new; mv /data/beat.new /data/beat; sleep 0.1; done`)
			s.start(hostileSite, 200001, script)
			s.watch(60 * time.Second)
			if s.running(hostileSite) || !s.running(quietSite) {
				t.Errorf("the hostile site runs: %t, its neighbour: %t", s.running(hostileSite), s.running(quietSite))
			}
			if s.least.Free < 64*mib || s.least.Files < 1000 {
				t.Errorf("the reserve was touched: %d MiB and %d files were left", s.least.Free/mib, s.least.Files)
			}
			if len(s.findings) != 1 || s.findings[0].Subject != hostileSite || s.findings[0].Code != tenants.FindingSiteFrozen {
				t.Errorf("said %+v", s.findings)
			}
			beats(t, filepath.Join(s.root, "sites", quietSite, "data", "beat"))
		})
	}
}

// beats waits until the neighbour has written once more.
func beats(t *testing.T, path string) {
	t.Helper()
	before, err := os.Stat(path)
	must(t, err)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if now, err := os.Stat(path); err == nil && now.ModTime().After(before.ModTime()) {
			return
		}
	}
	t.Error("the neighbour cannot write any more")
}
