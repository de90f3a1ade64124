package docker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	imageapi "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/pkg/stdcopy"
	imagespec "github.com/moby/docker-image-spec/specs-go/v1"

	"chatiere/tenants"
	"chatiere/tenants/docker"
)

const (
	instance = "lilas"
	imageID  = "sha256:1111"
	imageRef = "chatiere/wordpress:1"
)

// daemon is a stateful stand-in for the engine: what it is asked to make, it has. The integration tests ask a real one.
type daemon struct {
	t *testing.T

	mu         sync.Mutex
	containers map[string]*container.InspectResponse
	networks   map[string]network.CreateRequest
	images     map[string]imageapi.InspectResponse
	asked      []string                   // method and path of what changes something
	out        string                     // of commands and containers, on both streams
	code       int                        // that commands and containers end with
	busy       int                        // removals that are somebody else's
	fail       map[string]int             // status for a method and the end of a path
	stopped    map[string]string          // by container: the grace
	filters    map[string]map[string]bool // of the last list
}

// newDaemon starts one with an image and returns an engine that speaks to it.
func newDaemon(t *testing.T) (*daemon, *docker.Engine) {
	t.Helper()
	d := &daemon{
		t: t, containers: map[string]*container.InspectResponse{}, networks: map[string]network.CreateRequest{},
		images: map[string]imageapi.InspectResponse{}, fail: map[string]int{}, stopped: map[string]string{},
	}
	d.addImage(imageRef, imageID)
	dir, err := os.MkdirTemp("", "engine") // a test's own directory leaves no room for a socket
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	listener, err := net.Listen("unix", filepath.Join(dir, "d.sock"))
	must(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: d}}
	server.Start()
	t.Cleanup(server.Close)
	e, err := docker.New(docker.Options{Host: "unix://" + listener.Addr().String(), Instance: instance, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	return d, e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", doing, got, want)
	}
}

// addImage gives an image with an environment, an entrypoint and a label of its own.
func (d *daemon) addImage(ref, id string) {
	config := &imagespec.DockerOCIImageConfig{}
	config.Env, config.Entrypoint, config.Cmd = []string{"PATH=/bin", "LANG=C"}, []string{"/init"}, []string{"serve"}
	config.Labels, config.StopSignal = map[string]string{"maker": "coop"}, "SIGQUIT"
	d.images[ref] = imageapi.InspectResponse{ID: id, Config: config}
	d.images[id] = d.images[ref]
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if parts := strings.SplitN(path, "/", 3); len(parts) == 3 && strings.HasPrefix(parts[1], "v1.") {
		path = "/" + parts[2]
	}
	if strings.HasSuffix(path, "/_ping") {
		w.Header().Set("Api-Version", "1.44")
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Method != http.MethodGet {
		d.asked = append(d.asked, r.Method+" "+path)
	}
	for what, status := range d.fail {
		if method, end, _ := strings.Cut(what, " "); r.Method == method && strings.HasSuffix(path, end) {
			refuse(w, status, "as the test wants it")
			return
		}
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch parts[0] {
	case "info":
		answer(w, http.StatusOK, map[string]any{"ServerVersion": "28.0", "LiveRestoreEnabled": true, "CgroupVersion": "2", "DockerRootDir": "/var/lib/docker"})
	case "images":
		if path == "/images/create" {
			query := r.URL.Query()
			d.addImage(query.Get("fromImage")+"@"+query.Get("tag"), "sha256:4444")
			_, err := io.WriteString(w, d.out)
			must(d.t, err)
			return
		}
		d.serveImage(w, strings.TrimSuffix(strings.TrimPrefix(path, "/images/"), "/json"))
	case "networks":
		d.serveNetwork(w, r, parts[1:])
	case "containers":
		d.serveContainers(w, r, parts[1:])
	case "build":
		d.build(w, r)
	case "exec":
		d.serveExec(w, r, parts[2])
	default:
		d.t.Errorf("the engine was asked for %s %s", r.Method, path)
		refuse(w, http.StatusNotFound, "no such page")
	}
}

// build reads the whole context, tags an image and tells the lines the test wants.
func (d *daemon) build(w http.ResponseWriter, r *http.Request) {
	context, err := io.ReadAll(r.Body)
	must(d.t, err)
	d.asked = append(d.asked, string(context)+" "+r.URL.Query().Get("t")+" "+r.URL.Query().Get("dockerfile")+" "+r.URL.Query().Get("buildargs"))
	d.addImage(r.URL.Query().Get("t"), "sha256:3333")
	_, _ = io.WriteString(w, d.out)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, words string) {
	answer(w, status, map[string]string{"message": words})
}

func (d *daemon) serveImage(w http.ResponseWriter, ref string) {
	if found, ok := d.images[ref]; ok {
		answer(w, http.StatusOK, found)
		return
	}
	refuse(w, http.StatusNotFound, "no such image")
}

func (d *daemon) serveNetwork(w http.ResponseWriter, r *http.Request, rest []string) {
	switch {
	case rest[0] == "create":
		var wanted network.CreateRequest
		must(d.t, json.NewDecoder(r.Body).Decode(&wanted))
		d.networks[wanted.Name] = wanted
		answer(w, http.StatusCreated, network.CreateResponse{ID: wanted.Name})
	case d.networks[rest[0]].Name == "":
		refuse(w, http.StatusNotFound, "no such network")
	case len(rest) > 1: // connect
		var wanted network.ConnectOptions
		must(d.t, json.NewDecoder(r.Body).Decode(&wanted))
		d.containers[wanted.Container].NetworkSettings.Networks[rest[0]] = wanted.EndpointConfig
	default:
		n := d.networks[rest[0]]
		answer(w, http.StatusOK, network.Inspect{Name: n.Name, Driver: n.Driver, Internal: n.Internal, Labels: n.Labels})
	}
}

func (d *daemon) serveContainers(w http.ResponseWriter, r *http.Request, rest []string) {
	switch rest[0] {
	case "json":
		d.list(w, r)
		return
	case "create":
		d.create(w, r)
		return
	}
	c, ok := d.containers[rest[0]]
	if !ok {
		refuse(w, http.StatusNotFound, "no such container")
		return
	}
	switch strings.Join(append(rest[1:], r.Method), " ") {
	case "json GET":
		answer(w, http.StatusOK, c)
	case "start POST":
		c.State = &container.State{Status: "running", Running: true, Pid: 7, StartedAt: "2026-11-22T10:00:00Z", Health: &container.Health{Status: "healthy"}}
		w.WriteHeader(http.StatusNoContent)
	case "stop POST":
		d.stopped[rest[0]] = r.URL.Query().Get("t")
		c.State = &container.State{Status: "exited", ExitCode: 137}
		w.WriteHeader(http.StatusNoContent)
	case "rename POST":
		to := r.URL.Query().Get("name")
		if d.containers[to] != nil {
			refuse(w, http.StatusConflict, "the name is taken")
			return
		}
		d.containers[to] = c
		c.Name = "/" + to
		delete(d.containers, rest[0])
	case "DELETE":
		d.remove(w, r, rest[0])
	case "logs GET":
		d.words(w)
	case "exec POST":
		var wanted container.ExecOptions
		must(d.t, json.NewDecoder(r.Body).Decode(&wanted))
		d.asked = append(d.asked, strings.Join(wanted.Cmd, " "))
		answer(w, http.StatusCreated, map[string]string{"Id": "x1"})
	case "attach POST":
		d.hijack(w)
	case "wait POST":
		answer(w, http.StatusOK, container.WaitResponse{StatusCode: int64(d.code)})
	default:
		d.t.Errorf("a container was asked for %s %v", r.Method, rest)
	}
}

func (d *daemon) create(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	var wanted container.CreateRequest
	must(d.t, json.NewDecoder(r.Body).Decode(&wanted))
	found, ok := d.images[wanted.Image]
	switch {
	case d.containers[name] != nil:
		refuse(w, http.StatusConflict, "the name is taken")
		return
	case !ok:
		refuse(w, http.StatusNotFound, "no such image")
		return
	}
	id := fmt.Sprintf("%064x", len(d.asked))
	config := *wanted.Config
	for _, e := range found.Config.Env {
		name, _, _ := strings.Cut(e, "=")
		if !slices.ContainsFunc(config.Env, func(own string) bool { return strings.HasPrefix(own, name+"=") }) {
			config.Env = append(config.Env, e)
		}
	}
	if len(config.Entrypoint) == 0 && len(config.Cmd) == 0 {
		config.Entrypoint, config.Cmd = found.Config.Entrypoint, found.Config.Cmd
	}
	if config.StopSignal == "" {
		config.StopSignal = found.Config.StopSignal
	}
	config.Labels = maps.Clone(found.Config.Labels)
	maps.Copy(config.Labels, wanted.Labels)
	config.Hostname = id[:12]
	networks := map[string]*network.EndpointSettings{}
	if wanted.NetworkingConfig != nil {
		for network, end := range wanted.NetworkingConfig.EndpointsConfig {
			networks[network] = end
		}
	}
	d.containers[name] = &container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: id, Name: "/" + name, Image: found.ID, HostConfig: wanted.HostConfig, State: &container.State{Status: "created", StartedAt: "0001-01-01T00:00:00Z"},
		},
		Config: &config, NetworkSettings: &container.NetworkSettings{Networks: networks},
	}
	answer(w, http.StatusCreated, container.CreateResponse{ID: id, Warnings: []string{"swap cannot be limited"}})
}

// remove answers as the engine does while it carries out somebody else's removal, as often as the test wants.
func (d *daemon) remove(w http.ResponseWriter, r *http.Request, name string) {
	if r.URL.Query().Get("force") != "1" || r.URL.Query().Get("v") != "1" {
		d.t.Errorf("removed by %s", r.URL.RawQuery)
	}
	if d.busy > 0 {
		d.busy--
		time.AfterFunc(100*time.Millisecond, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.containers, name)
		})
		refuse(w, http.StatusConflict, "removal is already in progress")
		return
	}
	delete(d.containers, name)
	w.WriteHeader(http.StatusNoContent)
}

func (d *daemon) list(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("all") != "1" {
		d.t.Error("containers that do not run are left out")
	}
	d.filters = nil
	if text := r.URL.Query().Get("filters"); text != "" {
		must(d.t, json.Unmarshal([]byte(text), &d.filters))
	}
	out := []container.Summary{}
	for _, name := range slices.Sorted(maps.Keys(d.containers)) {
		c := d.containers[name]
		out = append(out, container.Summary{ID: c.ID, Names: []string{c.Name}, ImageID: c.Image, Labels: c.Config.Labels, State: c.State.Status, Status: d.out})
	}
	answer(w, http.StatusOK, out)
}

func (d *daemon) words(w io.Writer) {
	_, _ = io.WriteString(stdcopy.NewStdWriter(w, stdcopy.Stdout), d.out)
	_, _ = io.WriteString(stdcopy.NewStdWriter(w, stdcopy.Stderr), d.out+" (error)")
}

// hijack lets the connection change to the container's streams, as the engine does.
func (d *daemon) hijack(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	must(d.t, err)
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	d.words(conn)
	_ = conn.Close()
}

func (d *daemon) serveExec(w http.ResponseWriter, r *http.Request, act string) {
	if act == "json" {
		answer(w, http.StatusOK, container.ExecInspect{ExitCode: d.code})
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	d.hijack(w)
}

// wanted is a container of ours with everything that one may have.
func wanted(name string) tenants.ContainerSpec {
	return tenants.ContainerSpec{
		Name: name, Image: imageRef, User: "200000:200000", Env: []string{"SITE=s1"}, Network: "none", ReadOnlyRoot: true,
		Labels: map[string]string{tenants.LabelInstance: instance, tenants.LabelSite: "s1"},
		Mounts: []tenants.Mount{{Source: "/srv/data", Target: "/data"}, {Source: "/srv/secrets", Target: "/secrets", ReadOnly: true}},
		Tmpfs:  map[string]string{"/tmp": "size=64m"}, Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
		MemoryBytes: 384 << 20, NanoCPUs: 1e9, PidsLimit: 128, RestartPolicy: "unless-stopped",
	}
}
