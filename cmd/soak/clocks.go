package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

// clockRounds moves the clocks of worker and panel against each other and against the databases'.
func (r *harness) clockRounds(ctx context.Context) error {
	if !r.clocks {
		return nil
	}
	for _, move := range []struct{ worker, panel string }{{"1h", "-1h"}, {"-1h", "1h"}, {"", ""}} {
		r.trace.next(10*time.Second, func(p position) bool { return p.phase == doing })
		from := time.Now()
		ops, err := r.inFlight(ctx)
		if err != nil {
			return err
		}
		if _, err := r.runHelper(ctx, "clocks", move.worker, move.panel); err != nil {
			return err
		}
		for _, role := range []string{"worker", "panel"} {
			if err := r.awaitHealthy(ctx, role, time.Minute); err != nil {
				return err
			}
		}
		r.injected("clocks moved", from, ops)
		r.logf("clocks: worker %q, panel %q", move.worker, move.panel)
		if err := r.wantProgress(ctx, 3); err != nil {
			r.fail("with the worker's clock moved by %q and the panel's by %q: %v", move.worker, move.panel, err)
		}
		r.wantCheck(ctx, "clock", move.worker != "", "1h0m")
	}
	return ctx.Err()
}

// wantProgress wants operations to end well from now on.
func (r *harness) wantProgress(ctx context.Context, n int) error {
	var since time.Time
	if err := r.db.QueryRowContext(ctx, "SELECT UTC_TIMESTAMP(6)").Scan(&since); err != nil {
		return err
	}
	return testbed.Await(ctx, 90*time.Second, 250*time.Millisecond, fmt.Sprintf("the end of %d operations", n), func() error {
		done, err := r.ids(ctx, "SELECT id FROM operations WHERE state = 'done' AND ended_at > ?", since)
		if err == nil && len(done) < n {
			err = fmt.Errorf("%d are done", len(done))
		}
		return err
	})
}

// wantCheck wants the doctor to say something red about a thing, or nothing red.
func (r *harness) wantCheck(ctx context.Context, name string, red bool, word string) {
	var d api.Diagnosis
	bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := r.Panel.Get(bounded, api.PathDoctor, &d); err != nil {
		r.fail("asking the doctor: %v", err)
		return
	}
	for _, c := range d.Checks {
		if c.Name == name {
			if is := c.State == api.CheckRed; is != red || red && !strings.Contains(c.Found, word) {
				r.fail("the doctor says of %s: %s, %s", name, c.State, c.Found)
			} else if red {
				r.note("The doctor said of %s: %s", name, c.Found)
			}
			return
		}
	}
	r.fail("the doctor says nothing of %s", name)
}
