package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/pkg/stdcopy"

	"chatiere/tenants"
)

// List returns all containers, running or not, that have every given label ("" as value: any value), with one request.
func (e *Engine) List(ctx context.Context, labels map[string]string) ([]tenants.ContainerSummary, error) {
	wanted := filters.NewArgs()
	for label, value := range labels {
		if value != "" {
			label += "=" + value
		}
		wanted.Add("label", label)
	}
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: wanted})
	if err != nil {
		return nil, translate("listing containers", err)
	}
	out := make([]tenants.ContainerSummary, 0, len(found))
	for _, f := range found {
		g := tenants.ContainerSummary{ID: f.ID, ImageID: f.ImageID, Labels: f.Labels, State: f.State, Health: healthIn(f.Status)}
		if len(f.Names) > 0 {
			g.Name = strings.TrimPrefix(f.Names[0], "/")
		}
		out = append(out, g)
	}
	return out, nil
}

// healthIn finds the health in a list's "Up 2 minutes (healthy)".
func healthIn(status string) string {
	switch {
	case strings.HasSuffix(status, "(healthy)"):
		return container.Healthy
	case strings.HasSuffix(status, "(unhealthy)"):
		return container.Unhealthy
	case strings.HasSuffix(status, "(health: starting)"):
		return container.Starting
	}
	return ""
}

// relevantEvents are the events that may change the state of a container; health checks themselves are not among them.
var relevantEvents = []string{
	"create", "start", "restart", "die", "stop", "kill", "oom", "destroy", "rename", "update", "pause", "unpause", "health_status",
}

// Events calls tell for the events of our instance's containers from an instant on, until ctx ends or the stream breaks.
// Events are lost when the engine itself is restarted.
func (e *Engine) Events(ctx context.Context, since time.Time, tell func(tenants.Event)) error {
	wanted := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("label", tenants.LabelInstance+"="+e.instance))
	for _, h := range relevantEvents {
		wanted.Add("event", h)
	}
	ctx, stop := context.WithCancel(ctx) // ends the client's goroutine
	defer stop()
	messages, broken := e.api.Events(ctx, events.ListOptions{
		Since: strconv.FormatInt(since.Unix(), 10), Filters: wanted,
	})
	for {
		select {
		case m := <-messages:
			tell(tenants.Event{
				ID: m.Actor.ID, Name: m.Actor.Attributes["name"], Labels: m.Actor.Attributes, Action: string(m.Action),
				At: time.Unix(0, m.TimeNano).UTC(),
			})
		case err := <-broken:
			return translate("listening for events", err)
		}
	}
}

// LogTail returns the last lines of a container's output.
func (e *Engine) LogTail(ctx context.Context, name string, lines int) (string, error) {
	stream, err := e.api.ContainerLogs(ctx, name, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines)})
	if err != nil {
		return "", translate("reading the log of container "+name, err)
	}
	defer func() { _ = stream.Close() }()
	var words bytes.Buffer
	_, err = stdcopy.StdCopy(&words, &words, io.LimitReader(stream, 64<<10))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("reading the log of container %s: %w", name, err)
	}
	return strings.TrimSpace(words.String()), nil
}
