package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"chatiere/cmd/internal/inventory"
	"chatiere/cmd/internal/testbed"
	"chatiere/cmd/internal/wire"
)

// health looks after each round that nobody waits for a person.
func (r *harness) health(ctx context.Context, round string) {
	stuck, err := r.ids(ctx, "SELECT CONCAT(id, ' ', kind, ' ', problem, ' ', detail) FROM operations WHERE state = 'stuck'")
	if err != nil {
		r.fail("looking for operations that need a person: %v", err)
	}
	for _, s := range stuck {
		r.fail("after the %s, operation %s needs a person", round, s)
	}
}

// compareInventory compares what is there with what was there before the first life.
func (r *harness) compareInventory(ctx context.Context, before []string) {
	if err := testbed.Await(ctx, 2*time.Minute, time.Second, "the end of all operations", func() error {
		live, err := r.ids(ctx, "SELECT CONCAT(id, ' ', kind, ' ', state, ' ', problem, ' ', detail) FROM operations WHERE ended_at IS NULL")
		if err == nil && len(live) > 0 {
			err = fmt.Errorf("%v", live)
		}
		return err
	}); err != nil {
		r.fail("%v", err)
	}
	r.removeGroups(ctx)
	var more, less []string
	err := testbed.Await(ctx, 90*time.Second, 2*time.Second, "the machine as it was", func() error {
		after, err := r.List(ctx)
		if err != nil {
			return err
		}
		if more, less = inventory.Diff(before, after); len(more)+len(less) > 0 {
			return fmt.Errorf("more: %v, less: %v", more, less)
		}
		return nil
	})
	if err != nil {
		r.fail("%v", err)
	}
	r.orphans, r.lost, r.balanced = len(more), len(less), true
	r.readEndings(ctx)
}

// removeGroups takes the associations' groups away again.
func (r *harness) removeGroups(ctx context.Context) {
	client, err := wire.Keycloak(r.Config)
	if err != nil {
		r.fail("%v", err)
		return
	}
	for n := range r.keycloak {
		for _, m := range []int{n, n + 100} {
			if err := client.DeleteGroup(ctx, "/assos/"+r.association(m).Slug); err != nil {
				r.fail("removing groups: %v", err)
			}
		}
	}
}

// readEndings reads when each operation that was hit came to its end, by the database's clock, which is this machine's.
func (r *harness) readEndings(ctx context.Context) {
	rows, err := r.db.QueryContext(ctx, "SELECT id, ended_at FROM operations WHERE ended_at IS NOT NULL")
	if err != nil {
		r.fail("reading the operations' ends: %v", err)
		return
	}
	defer func() { _ = rows.Close() }()
	r.ended = map[string]time.Time{}
	for rows.Next() {
		var id string
		var at time.Time
		if err := rows.Scan(&id, &at); err != nil {
			r.fail("reading the operations' ends: %v", err)
			return
		}
		r.ended[id] = at
	}
	if err := rows.Err(); err != nil {
		r.fail("reading the operations' ends: %v", err)
	}
}

// recoveryTimes returns, for each kind of failure, how long the operations took to their end that it was the last to hit,
// counted from the moment at which the thing was there again.
func (r *harness) recoveryTimes() map[string][]time.Duration {
	last := map[string]inject{}
	for _, i := range r.injects {
		for _, op := range i.ops {
			last[op] = i
		}
	}
	out := map[string][]time.Duration{}
	for op, i := range last {
		if at, ok := r.ended[op]; ok {
			out[i.kind] = append(out[i.kind], max(0, at.Sub(i.to)))
		}
	}
	for _, took := range out {
		slices.Sort(took)
	}
	return out
}

func (r *harness) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, strings.TrimSpace(id))
	}
	return out, rows.Err()
}
