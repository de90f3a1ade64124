package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"chatiere/tenants"
)

const (
	// usualTimeout ends a command that was given none.
	usualTimeout = 10 * time.Minute
	// killAfter is what a command that ignores the end of its time gets, killMargin what the engine gets to tell us.
	killAfter  = 5 * time.Second
	killMargin = 10 * time.Second
)

// Exec runs a command in a running container and waits for it. The command is ended in the container when its time is
// over, by coreutils' timeout: a cancelled request does not end it. The error then matches context.DeadlineExceeded.
func (e *Engine) Exec(ctx context.Context, name string, x tenants.Exec) (tenants.ExecResult, error) {
	doing := fmt.Sprintf("running %q in container %s", first(x.Command), name)
	if x.Timeout <= 0 {
		x.Timeout = usualTimeout
	}
	if err := e.checkInstance(ctx, name); err != nil {
		return tenants.ExecResult{}, fmt.Errorf("%s: %w", doing, err)
	}
	ctx, cancel := context.WithTimeout(ctx, x.Timeout+killAfter+killMargin)
	defer cancel()
	made, err := e.api.ContainerExecCreate(ctx, name, container.ExecOptions{
		Cmd: withTimeout(x.Command, x.Timeout), Env: x.Env, User: x.User,
		AttachStdin: x.Stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return tenants.ExecResult{}, notRunning(doing, err)
	}
	begun := time.Now()
	stream, err := e.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return tenants.ExecResult{}, notRunning(doing, err)
	}
	result, err := e.converse(ctx, stream, x.Stdin, x.Stdout)
	if err != nil {
		return result, translate(doing, err)
	}
	if result.ExitCode, err = e.exitCode(ctx, made.ID); err != nil {
		return result, translate(doing, err)
	}
	if timedOut(result.ExitCode) && time.Since(begun) >= x.Timeout {
		return result, fmt.Errorf("%s: not done after %s: %w", doing, x.Timeout, context.DeadlineExceeded)
	}
	return result, nil
}

// withTimeout wraps a command so that it ends in the container whatever becomes of us.
func withTimeout(command []string, limit time.Duration) []string {
	seconds := strconv.FormatFloat(limit.Seconds(), 'f', -1, 64)
	return append([]string{"timeout", "-k", strconv.Itoa(int(killAfter.Seconds())), seconds}, command...)
}

// timedOut reports what timeout(1) says when it ended a command by TERM, or had to by KILL.
func timedOut(code int) bool { return code == 124 || code == 137 }

// notRunning says so as "unavailable": a container that is being restarted will run again.
func notRunning(doing string, err error) error {
	err = translate(doing, err)
	if errors.Is(err, tenants.ErrConflict) {
		return fmt.Errorf("%s: the container does not run: %w", doing, tenants.ErrUnavailable)
	}
	return err
}

func first(command []string) string {
	if len(command) == 0 {
		return ""
	}
	return command[0]
}

// converse feeds a command and takes apart what it says, until it closes both streams or ctx ends.
func (e *Engine) converse(ctx context.Context, stream types.HijackedResponse, in io.Reader, out io.Writer) (tenants.ExecResult, error) {
	defer stream.Close()
	stop := context.AfterFunc(ctx, stream.Close) // nothing else would end a blocked read
	defer stop()
	if in != nil {
		go func() { // ends with the stream, at the latest when it is closed above, provided that in does not block for ever
			_, _ = io.Copy(stream.Conn, in) // a command that does not read to the end is not a failure
			_ = stream.CloseWrite()
		}()
	}
	stdout, stderr := &tail{}, &tail{}
	if out == nil {
		out = stdout
	}
	_, err := stdcopy.StdCopy(out, stderr, stream.Reader)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return tenants.ExecResult{Output: stdout.String(), Stderr: stderr.String()}, err
}

// exitCode waits until the engine knows it: the streams may be closed a moment before.
func (e *Engine) exitCode(ctx context.Context, execID string) (int, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := e.api.ContainerExecInspect(ctx, execID)
		if err != nil {
			return 0, err
		}
		if !state.Running {
			return state.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}
