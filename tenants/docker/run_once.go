package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"

	"chatiere/tenants"
)

// RunOnce makes a container, runs it to its end, removes it, and returns its output. A container of that name from a killed
// predecessor is removed first.
func (e *Engine) RunOnce(ctx context.Context, spec tenants.ContainerSpec, stdout io.Writer) (result tenants.ExecResult, err error) {
	spec.RestartPolicy = string(container.RestartPolicyDisabled)
	if err := e.Remove(ctx, spec.Name); err != nil {
		return result, err
	}
	defer func() {
		ctx, cancel := detached(ctx)
		defer cancel()
		err = errors.Join(err, e.Remove(ctx, spec.Name))
	}()
	if err := e.Create(ctx, spec); err != nil {
		return result, err
	}
	stream, err := e.api.ContainerAttach(ctx, spec.Name, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return result, translate("attaching to container "+spec.Name, err)
	}
	// Subscribed before the start: a short command may be over before we could ask.
	ended, broken := e.api.ContainerWait(ctx, spec.Name, container.WaitConditionNextExit)
	if err := e.Start(ctx, spec.Name); err != nil {
		stream.Close()
		return result, err
	}
	if result, err = e.converse(ctx, stream, nil, stdout); err != nil {
		return result, translate("reading from container "+spec.Name, err)
	}
	select {
	case end := <-ended:
		if end.Error != nil {
			return result, fmt.Errorf("waiting for container %s: %s: %w", spec.Name, end.Error.Message, tenants.ErrUnavailable)
		}
		result.ExitCode = int(end.StatusCode)
		return result, nil
	case err := <-broken:
		return result, translate("waiting for container "+spec.Name, err)
	}
}
