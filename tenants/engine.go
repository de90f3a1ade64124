package tenants

import (
	"context"
	"io"
	"strings"
	"time"
)

// Engine runs containers. Names are unique within an engine; every method is safe to repeat after a crash.
// It answers ErrNotFound for what is not there and ErrUnavailable when the engine itself does not answer.
type Engine interface {
	// Create makes a container. A container of that name with the same labels and image is success; another is ErrConflict.
	Create(ctx context.Context, spec ContainerSpec) error
	// Start starts it; a running one is success.
	Start(ctx context.Context, name string) error
	// Stop stops it within grace, then kills; a stopped or absent one is success.
	Stop(ctx context.Context, name string, grace time.Duration) error
	// Remove removes it, running or not, with its anonymous volumes; an absent one is success.
	Remove(ctx context.Context, name string) error
	// Rename gives it another name; ErrConflict when that is taken.
	Rename(ctx context.Context, name, to string) error
	Inspect(ctx context.Context, name string) (Container, error)
	// Specification returns how a container was made, as Create would take it: one made of it would be the same.
	Specification(ctx context.Context, name string) (ContainerSpec, error)
	// Drift names, in the engine's own words, what of a container is not as the specification asks; none for one
	// that Create would make just so. Labels are not compared.
	Drift(ctx context.Context, name string, spec ContainerSpec) ([]string, error)
	// List returns all containers, running or not, that bear every given label ("" as value: any value), by one question
	// however many there are.
	List(ctx context.Context, labels map[string]string) ([]ContainerSummary, error)
	// Exec runs a command in a running container and waits for it. The command is ended in the container when the
	// time is over, since a cancelled request does not end it.
	Exec(ctx context.Context, name string, e Exec) (ExecResult, error)
	// RunOnce makes a container, runs it to its end, removes it, and returns what it said.
	RunOnce(ctx context.Context, spec ContainerSpec, stdout io.Writer) (ExecResult, error)
	// ImageID returns the content id ("sha256:…") of a reference.
	ImageID(ctx context.Context, ref string) (string, error)
	// Pull fetches an image by a reference with a digest; progress gets the engine's lines.
	Pull(ctx context.Context, ref string, progress io.Writer) (id string, err error)
	// Build builds an image from a tar of its context, by a Dockerfile in it, and tags it; progress gets the builder's lines.
	Build(ctx context.Context, tag, dockerfile string, context io.Reader, args map[string]string, progress io.Writer) (id string, err error)
	Info(ctx context.Context) (EngineInfo, error)
}

// ContainerSpec says how a container is made. It is stored with releases: fields are only ever added, and a new one's zero
// value means what was done before it.
type ContainerSpec struct {
	Name          string            `json:"name"`
	Image         string            `json:"image"` // content id or reference
	Entrypoint    []string          `json:"entrypoint,omitempty"`
	Command       []string          `json:"command,omitempty"`
	User          string            `json:"user,omitempty"` // "uid:gid"
	Env           []string          `json:"env,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Mounts        []Mount           `json:"mounts,omitempty"`
	Tmpfs         map[string]string `json:"tmpfs,omitempty"` // path → options
	Network       string            `json:"network"`         // "none", a network's name, or NetworkOf another container
	Sysctls       map[string]string `json:"sysctls,omitempty"`
	ReadOnlyRoot  bool              `json:"read_only_root,omitempty"`
	MemoryBytes   int64             `json:"memory_bytes,omitempty"`
	PidsLimit     int64             `json:"pids_limit,omitempty"`
	NanoCPUs      int64             `json:"nano_cpus,omitempty"`
	RestartPolicy string            `json:"restart_policy,omitempty"` // "no", "unless-stopped"
	StopSignal    string            `json:"stop_signal,omitempty"`
}

// NetworkOf is the Network of a container that shares the network namespace of another one. The engine binds it to that very
// container: when the other is made again, it must be, too; when the other is started again, so must it.
func NetworkOf(container string) string { return networkOf + container }

const networkOf = "container:"

// NetworkOwner returns the container whose network namespace this one shares; "" when it has its own.
func (s ContainerSpec) NetworkOwner() string { return owner(s.Network) }

// NetworkOwner returns the id of the container whose network namespace this one shares; "" when it has its own.
func (c Container) NetworkOwner() string { return owner(c.Network) }

func owner(network string) string {
	if owner, ok := strings.CutPrefix(network, networkOf); ok {
		return owner
	}
	return ""
}

// Mount binds a path of the host into a container.
type Mount struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// Container is the engine's description of a container.
type Container struct {
	ID, Name     string
	ImageID      string
	Labels       map[string]string
	State        string // "created", "running", "restarting", "exited", "paused", "dead"
	Health       string // "", "starting", "healthy", "unhealthy"
	ExitCode     int
	RestartCount int
	OOMKilled    bool
	StartedAt    time.Time
	Pid          int
	Network      string // as in ContainerSpec; a shared one names its owner by id
}

// ContainerSummary is a row of a container list; the fields are as in [Container].
type ContainerSummary struct {
	ID, Name string
	ImageID  string
	Labels   map[string]string
	State    string
	Health   string
}

// Running reports whether the container's first process runs.
func (g ContainerSummary) Running() bool { return g.State == "running" }

// OldSuffix ends the name of a replaced container that is kept until its successor is healthy.
const OldSuffix = "-old"

// Event is a change of a container.
type Event struct {
	ID, Name string
	Labels   map[string]string
	Action   string // "create", "start", "die", "stop", "destroy", "update", "health_status: unhealthy", …
	At       time.Time
}

// Running reports whether its main process runs.
func (c Container) Running() bool { return c.State == "running" }

// Exec is a command inside a container.
type Exec struct {
	Command []string
	Env     []string
	User    string
	Timeout time.Duration
	Stdin   io.Reader
	Stdout  io.Writer // nil: kept in ExecResult.Output
}

// ExecResult is how a command ended.
type ExecResult struct {
	ExitCode int
	Output   string // stdout unless it was sent elsewhere; at most 64 KiB
	Stderr   string // at most 64 KiB
}

// EngineInfo describes the engine, for the doctor.
type EngineInfo struct {
	Version, APIVersion string
	LiveRestore         bool
	CgroupVersion       string
	Root                string // where it keeps images and containers
}

// Labels on everything the worker makes.
const (
	LabelInstance    = "chatiere.instance"
	LabelRole        = "chatiere.role"
	LabelSite        = "chatiere.site"
	LabelAssociation = "chatiere.association"
	LabelTemplate    = "chatiere.template"
	LabelRelease     = "chatiere.release" // its number
	LabelOperation   = "chatiere.operation"
)
