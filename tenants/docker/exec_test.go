//go:build integration

package docker_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/docker"
)

func sh(command string) tenants.Exec {
	return tenants.Exec{Command: []string{"sh", "-c", command}, Timeout: 20 * time.Second}
}

func TestACommandTellsItsCodeAndBothStreams(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := running(t, ctx, e, instance)
	got, err := e.Exec(ctx, spec.Name, sh("echo out; echo err >&2; exit 7"))
	if err != nil || got != (tenants.ExecResult{ExitCode: 7, Output: "out\n", Stderr: "err\n"}) {
		t.Errorf("got %+v (%v)", got, err)
	}
	var out bytes.Buffer
	x := sh("cat; id -u; echo $NAME")
	x.Stdin, x.Stdout, x.User, x.Env = strings.NewReader("été\n"), &out, "12:12", []string{"NAME=zoé"}
	if got, err = e.Exec(ctx, spec.Name, x); err != nil || out.String() != "été\n12\nzoé\n" || got.Output != "" || got.ExitCode != 0 {
		t.Errorf("got %+v and %q (%v)", got, out.String(), err)
	}
	if got, err = e.Exec(ctx, spec.Name, tenants.Exec{Command: []string{"/no/such"}}); err != nil || got.ExitCode != 127 {
		t.Errorf("a command that is not there: %+v (%v)", got, err)
	}
}

func TestALongOutputIsBounded(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := running(t, ctx, e, instance)
	got, err := e.Exec(ctx, spec.Name, sh("yes | head -c 3000000; echo end; yes x | head -c 3000000 >&2"))
	if err != nil || len(got.Output) != 64<<10 || len(got.Stderr) != 64<<10 || !strings.HasSuffix(got.Output, "end\n") {
		t.Errorf("kept %d and %d bytes (%v)", len(got.Output), len(got.Stderr), err)
	}
}

func TestACommandIsEndedInTheContainerWhenItsTimeIsOver(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := running(t, ctx, e, instance)
	x := sh("trap '' TERM; echo begun; sleep 1234 & wait; sleep 1234")
	x.Timeout = 500 * time.Millisecond
	begun := time.Now()
	got, err := e.Exec(ctx, spec.Name, x)
	wants(t, "a command that ignores the end of its time", err, context.DeadlineExceeded)
	if took := time.Since(begun); took > 12*time.Second || got.Output != "begun\n" {
		t.Errorf("after %v: %+v", took, got)
	}
	x = sh("sleep 1234")
	x.Timeout = 500 * time.Millisecond
	_, err = e.Exec(ctx, spec.Name, x)
	wants(t, "a command that lasts too long", err, context.DeadlineExceeded)
	if left := processes(t, ctx, e, spec.Name); strings.Contains(left, "sleep 1234") {
		t.Errorf("in the container there still is %s", left)
	}
	if got, err := e.Exec(ctx, spec.Name, sh("exit 124")); err != nil || got.ExitCode != 124 {
		t.Errorf("a quick command's own 124: %+v (%v)", got, err)
	}
}

// processes lists the commands that run in a container, by its own /proc: not every machine has ps for "docker top".
func processes(t *testing.T, ctx context.Context, e *docker.Engine, name string) string {
	t.Helper()
	got, err := e.Exec(ctx, name, sh(`for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; echo; done`))
	must(t, err)
	return got.Output
}

func TestACancelledRequestReturnsAtOnce(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := running(t, ctx, e, instance)
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := e.Exec(ctx, spec.Name, sh("sleep 15"))
	if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestACommandNeedsARunningContainer(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "s1")
	_, err := e.Exec(ctx, spec.Name, sh("true"))
	wants(t, "in an absent one", err, tenants.ErrNotFound)
	must(t, e.Create(ctx, spec))
	_, err = e.Exec(ctx, spec.Name, sh("true"))
	wants(t, "in one that does not run", err, tenants.ErrUnavailable)
}

func TestOneShotsRunToTheirEndAndLeaveNothing(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "once")
	spec.RestartPolicy = "unless-stopped" // must not be heeded
	spec.Entrypoint, spec.Command = []string{"sh", "-c"}, []string{"echo out; echo err >&2; exit 3"}
	for range 5 { // a short one may end before anybody listens
		got, err := e.RunOnce(ctx, spec, nil)
		if err != nil || got != (tenants.ExecResult{ExitCode: 3, Output: "out\n", Stderr: "err\n"}) {
			t.Fatalf("got %+v (%v)", got, err)
		}
	}
	var out bytes.Buffer
	if got, err := e.RunOnce(ctx, spec, &out); err != nil || out.String() != "out\n" || got.Output != "" {
		t.Errorf("got %+v and %q (%v)", got, out.String(), err)
	}
	_, err := e.Inspect(ctx, spec.Name)
	wants(t, "what is left", err, tenants.ErrNotFound)
}

func TestAOneShotReplacesWhatAKilledPredecessorLeft(t *testing.T) {
	ctx, e, instance := engine(t)
	left := sleeper(instance, "once")
	left.Labels[tenants.LabelOperation] = "older"
	must(t, e.Create(ctx, left))
	must(t, e.Start(ctx, left.Name))
	spec := sleeper(instance, "once")
	spec.Entrypoint, spec.Command = []string{"echo"}, []string{"fresh"}
	if got, err := e.RunOnce(ctx, spec, nil); err != nil || got.Output != "fresh\n" {
		t.Errorf("got %+v (%v)", got, err)
	}
}

func TestACancelledOneShotIsRemoved(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "once")
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := e.RunOnce(short, spec, nil)
	wants(t, "a one-shot that is cancelled", err, context.DeadlineExceeded)
	_, err = e.Inspect(ctx, spec.Name)
	wants(t, "what is left", err, tenants.ErrNotFound)
}

func TestAOneShotThatCannotStartLeavesNothing(t *testing.T) {
	ctx, e, instance := engine(t)
	spec := sleeper(instance, "once")
	spec.Entrypoint = []string{"/no/such"}
	if _, err := e.RunOnce(ctx, spec, nil); err == nil {
		t.Error("it ran")
	}
	_, err := e.Inspect(ctx, spec.Name)
	wants(t, "what is left", err, tenants.ErrNotFound)
}
