package main

import (
	"chatiere/cmd/internal/testbed"
	"context"
	"errors"
	"fmt"
	"time"
)

// killRounds kills worker and panel until enough kills have landed inside an operation and each phase was hit often enough.
func (r *harness) killRounds(ctx context.Context) error {
	for n := 0; !r.enough() && ctx.Err() == nil; n++ {
		role := "worker"
		if n%5 == 4 {
			role = "panel"
		}
		if err := r.killOnce(ctx, role, n); err != nil {
			return err
		}
		if n > 6*r.kills+60 {
			return fmt.Errorf("after %d kills the phases are hit %v", n, r.phaseHits())
		}
	}
	return ctx.Err()
}

func (r *harness) enough() bool {
	r.mu.Lock()
	n := r.landed["worker"] + r.landed["panel"]
	r.mu.Unlock()
	for _, hits := range r.phaseHits() {
		if hits < r.options.hits {
			return false
		}
	}
	return n >= r.kills
}

// phaseHits counts the hits of the worker in each phase.
func (r *harness) phaseHits() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]int{}
	for _, p := range phases {
		out[p] = r.hits["worker"][p]
	}
	return out
}

// killOnce kills once. Every other kill of the worker is at any instant while an operation is at work; the others wait for
// the phase that was hit least, since most phases are over within milliseconds.
func (r *harness) killOnce(ctx context.Context, role string, n int) error {
	pid, err := r.PID(ctx, role)
	if err != nil {
		return err
	}
	fits := func(position) bool { return true }
	aimed := role == "worker" && n%2 == 1
	if target := r.rarestPhase(); aimed {
		fits = func(p position) bool { return p.phase == target }
	}
	if !testbed.Sleep(ctx, r.randDuration(2*time.Second)) {
		return ctx.Err()
	}
	r.trace.next(20*time.Second, fits)
	if !aimed {
		testbed.Sleep(ctx, r.randDuration(400*time.Millisecond))
	}
	from := time.Now()
	if err := r.kill(pid); err != nil {
		return fmt.Errorf("killing the %s: %w", role, err)
	}
	if err := awaitExit(ctx, pid); err != nil {
		return err
	}
	ops, err := r.inFlight(ctx)
	if err != nil {
		return err
	}
	r.count(role, ops)
	testbed.Sleep(ctx, r.randDuration(700*time.Millisecond))
	if err := r.startAgain(ctx, role, pid); err != nil {
		return err
	}
	r.injected("SIGKILL of the "+role, from, ops)
	return r.awaitHealthy(ctx, role, time.Minute)
}

// startAgain starts a container whose first process died. Docker may not have noticed yet that it did, and the platform's
// watch may have been faster.
func (r *harness) startAgain(ctx context.Context, role string, dead int) error {
	return testbed.Await(ctx, 30*time.Second, 20*time.Millisecond, "the start of the "+role, func() error {
		state, err := testbed.Docker(ctx, "inspect", "-f", "{{.State.Running}} {{.State.Pid}}", r.RoleContainer(role))
		if err != nil {
			return err
		}
		if state == fmt.Sprintf("true %d", dead) {
			return errors.New(state)
		}
		_, err = testbed.Docker(ctx, "start", r.RoleContainer(role))
		return err
	})
}

func (r *harness) rarestPhase() string {
	hits := r.phaseHits()
	best := phases[0]
	for _, p := range phases {
		if hits[p] < hits[best] {
			best = p
		}
	}
	return best
}

// count notes where each operation was that the dead process held or that was under way beside it.
func (r *harness) count(role string, ops []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hits[role] == nil {
		r.hits[role] = map[string]int{}
	}
	landed := false
	var told []string
	for _, op := range ops {
		p, ok := r.trace.of(op)
		if !ok {
			continue
		}
		landed = true
		r.hits[role][p.phase]++
		told = append(told, fmt.Sprintf("%s/%s %s", p.kind, p.step, p.phase))
	}
	if !landed {
		r.missed++
		return
	}
	r.landed[role]++
	fmt.Printf("%s killed (%d): %v\n", role, r.landed["worker"]+r.landed["panel"], told)
}
