package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

// fullRounds fills the data root's file system to the last byte in the middle of operations, wants one of them to say how
// much is missing, makes room again and wants all of them to go on by themselves.
func (r *harness) fullRounds(ctx context.Context) error {
	hit := map[string]bool{}
	for n := range r.full {
		testbed.Sleep(ctx, r.randDuration(time.Second))
		at, ok := r.trace.next(20*time.Second, func(p position) bool {
			return p.phase == doing && p.kind != "site.purge" && (!hit[p.kind+"/"+p.step] || n > 6)
		})
		if !ok {
			at, _ = r.trace.next(20*time.Second, func(p position) bool { return p.phase == doing })
		}
		hit[at.kind+"/"+at.step] = true
		if err := r.fillOnce(ctx, at); err != nil {
			return err
		}
		testbed.Sleep(ctx, 3*time.Second)
	}
	return ctx.Err()
}

// mostFull is how long an operation may take to say that the disk is full.
const mostFull = time.Minute

func (r *harness) fillOnce(ctx context.Context, at position) error {
	ballast := filepath.Join(r.Config.Root, "ballast")
	from, end := time.Now(), r.journal.begin(fullDisk)
	defer end()
	if err := fill(ballast); err != nil {
		return errors.Join(err, os.Remove(ballast))
	}
	var told api.Operation
	err := testbed.Await(ctx, mostFull, 500*time.Millisecond, "somebody who says how much is missing", func() error {
		var l api.List[api.Operation]
		bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := r.Panel.Get(bounded, api.PathOperations, &l); err != nil {
			return err
		}
		for _, op := range l.Items {
			if !op.Ended() && op.Problem == "disk_full" && strings.Contains(op.Detail, "MiB are missing") {
				told = op
				return nil
			}
		}
		return fmt.Errorf("%d operations, none of them", len(l.Items))
	})
	if err != nil {
		r.fail("full disk in the middle of %s/%s: %v", at.kind, at.step, err)
	}
	testbed.Sleep(ctx, 2*time.Second+r.randDuration(4*time.Second))
	ops, err := r.live(ctx)
	if err != nil {
		return errors.Join(err, os.Remove(ballast))
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	r.injected("full disk", from, ops)
	r.logf("full for %s, in the middle of %s/%s; %s said: %.90s", time.Since(from).Round(time.Millisecond), at.kind, at.step, told.Kind, told.Detail)
	return nil
}

// fill leaves no byte on a file's file system.
func fill(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // its content is nothing
	var size int64
	for step := int64(1 << 30); step >= 4096; {
		if err := unix.Fallocate(int(f.Fd()), 0, size, step); err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				return fmt.Errorf("filling the disk: %w", err)
			}
			step /= 2
			continue
		}
		size += step
	}
	return nil
}

// live returns the operations that have not ended.
func (r *harness) live(ctx context.Context) ([]string, error) {
	return r.ids(ctx, "SELECT id FROM operations WHERE ended_at IS NULL")
}
