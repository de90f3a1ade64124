// Package docker runs containers on a Docker Engine: it implements tenants.Engine over the engine's API 1.41 or newer.
//
// It is the only room that imports the Docker client, whose types never leave it. It knows no site and no template.
// Start reading at Engine.
package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"chatiere/tenants"
)

// Options say which engine it is and whose containers we may touch.
type Options struct {
	Host     string // such as "unix:///var/run/docker.sock"
	Instance string // Create demands this value of tenants.LabelInstance, Stop, Exec and Remove touch nothing else
	Log      *slog.Logger
}

// Engine implements tenants.Engine.
type Engine struct {
	api      *client.Client
	instance string
	log      *slog.Logger
}

var _ tenants.Engine = (*Engine)(nil)

// New returns an engine. It does not connect yet; the API's version is agreed on at the first request that succeeds.
func New(o Options) (*Engine, error) {
	api, err := client.NewClientWithOpts(client.WithHost(o.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("configuring the Docker client: %w", err)
	}
	return &Engine{api: api, instance: o.Instance, log: o.Log}, nil
}

// Close gives idle connections back.
func (e *Engine) Close() error { return e.api.Close() }

// Info describes the engine, for the doctor.
func (e *Engine) Info(ctx context.Context) (tenants.EngineInfo, error) {
	info, err := e.api.Info(ctx)
	if err != nil {
		return tenants.EngineInfo{}, translate("asking the engine", err)
	}
	return tenants.EngineInfo{
		Version: info.ServerVersion, APIVersion: e.api.ClientVersion(), LiveRestore: info.LiveRestoreEnabled,
		CgroupVersion: info.CgroupVersion, Root: info.DockerRootDir,
	}, nil
}

// cleanup bounds what must be done although the asker has gone.
const cleanup = 30 * time.Second

// detached returns a context that outlives ctx by the time cleaning up may take.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanup)
}

// translate wraps an error with what was being done and the domain's sentinel for it; nil stays nil.
func translate(doing string, err error) error {
	if err == nil {
		return nil
	}
	if sentinel := sentinelOf(err); sentinel != nil {
		return fmt.Errorf("%s: %w: %w", doing, sentinel, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// noRoom is all that the daemon says of ENOSPC: it answers 500, with the system's words for it.
const noRoom = "no space left on device"

// halfStartedRE is what a daemon says, with a 500 and no more, of a container whose start its predecessor was ended in:
// the first where containerd has its process, the second where it has the container and will not let go of it.
var halfStartedRE = regexp.MustCompile(`task [0-9a-f]{64}: already exists|: id already in use$`)

func sentinelOf(err error) error {
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil // the asker's own doing
	case strings.Contains(err.Error(), noRoom):
		return tenants.ErrDiskFull
	case halfStartedRE.MatchString(err.Error()):
		return tenants.ErrConflict
	case errdefs.IsNotFound(err):
		return tenants.ErrNotFound
	case errdefs.IsConflict(err):
		return tenants.ErrConflict
	case errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err), errors.Is(err, os.ErrPermission):
		return tenants.ErrRefused // before the network's errors: a socket that may not be opened is one of them
	case client.IsErrConnectionFailed(err), errdefs.IsUnavailable(err), errors.As(err, &network),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return tenants.ErrUnavailable // a daemon that restarts cuts its answers short
	}
	return nil
}
