package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/inventory"
	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

const dumpAtStart = "start.sql"

// dump writes the panel's database to a file beside the instance's summary.
func (r *harness) dump(ctx context.Context, name string) error {
	_, err := r.runHelper(ctx, "dump", r.dumpFile(name))
	return err
}

func (r *harness) dumpFile(name string) string {
	return filepath.Join(filepath.Dir(r.options.summary), name)
}

// secondWorkerRounds starts a second worker on the same data root, one on another data root with the same database, and brings an
// older dump back, under a stopped worker and under a living one.
func (r *harness) secondWorkerRounds(ctx context.Context) error {
	if !r.options.strangers {
		return nil
	}
	return errors.Join(r.sameRoot(ctx), r.sameRecords(ctx), r.oldDump(ctx, false), r.oldDump(ctx, true))
}

// watched is how long nothing must happen: longer than a round of whatever a worker does at its start.
const watched = 20 * time.Second

func (r *harness) sameRoot(ctx context.Context) error {
	name, err := r.runHelper(ctx, "stranger", r.Config.Paths().Config())
	if err != nil {
		return err
	}
	defer func() { _, _ = testbed.Docker(context.WithoutCancel(ctx), "rm", "-f", name) }()
	if err := r.wantProgress(ctx, 3); err != nil {
		r.fail("beside a second worker on the same data root: %v", err)
	}
	r.wantWords(ctx, name, "another worker works on this data root")
	r.wantNoWords(ctx, name, "worker ready")
	return nil
}

// sameRecords starts a worker whose data root is another one.
func (r *harness) sameRecords(ctx context.Context) error {
	file, err := r.runHelper(ctx, "second-root")
	if err != nil {
		return err
	}
	name, err := r.runHelper(ctx, "stranger", file)
	if err != nil {
		return err
	}
	defer func() { _, _ = testbed.Docker(context.WithoutCancel(ctx), "rm", "-f", name) }()
	if err := r.wantProgress(ctx, 3); err != nil {
		r.fail("beside a second worker on the same database: %v", err)
	}
	r.wantWords(ctx, name, "the records belong to another data root")
	testbed.Sleep(ctx, watched/2)
	r.wantNoWords(ctx, name, "worker ready")
	second := config.PathsBelow(filepath.Dir(file))
	if _, err := testbed.Command(ctx, "test", "!", "-e", second.Routes()); err != nil {
		r.fail("the second worker published routes")
	}
	return nil
}

func (r *harness) logs(ctx context.Context, name string) string {
	text, err := testbed.Docker(ctx, "logs", name)
	if err != nil {
		return err.Error()
	}
	return text
}

func (r *harness) wantWords(ctx context.Context, name, words string) {
	err := testbed.Await(ctx, time.Minute, time.Second, fmt.Sprintf("%q from %s", words, name), func() error {
		text := r.logs(ctx, name)
		for line := range strings.Lines(text) {
			if strings.Contains(line, words) {
				r.note("%s said: %s", name, strings.TrimSpace(line))
				return nil
			}
		}
		return errors.New(text)
	})
	if err != nil {
		r.fail("%v", err)
	}
}

func (r *harness) wantNoWords(ctx context.Context, name, words string) {
	if strings.Contains(r.logs(ctx, name), words) {
		r.fail("%s says %q", name, words)
	}
}

// oldDump brings the dump of the start back beside sites that were made since, watches that nothing happens to them, and
// brings the newest records back.
func (r *harness) oldDump(ctx context.Context, living bool) (err error) {
	r.lives.pause()
	defer r.lives.resume()
	before, err := r.List(ctx)
	if err != nil {
		return err
	}
	const newest = "newest.sql"
	if err := r.dump(ctx, newest); err != nil {
		return err
	}
	from, title := time.Now(), "an older dump under a living worker"
	if !living {
		title = "a worker started on an older dump"
		if _, err := testbed.Docker(ctx, "stop", r.RoleContainer("worker")); err != nil {
			return err
		}
	}
	if _, err := r.runHelper(ctx, "load", r.dumpFile(dumpAtStart)); err != nil {
		return err
	}
	if !living {
		if _, err := testbed.Docker(ctx, "start", r.RoleContainer("worker")); err != nil {
			return err
		}
	}
	if err := r.refuses(ctx); err != nil {
		r.fail("%s: %v", title, err)
	}
	testbed.Sleep(ctx, watched)
	after, err := r.List(ctx)
	if err != nil {
		return err
	}
	if more, less := inventory.Diff(before, after); len(more)+len(less) > 0 {
		r.fail("%s: there is more: %v, and less: %v", title, more, less)
	}
	if _, err := r.runHelper(ctx, "load", r.dumpFile(newest)); err != nil {
		return err
	}
	if err := r.awaitHealthy(ctx, "worker", time.Minute); err != nil {
		return err
	}
	r.injected(title, from, nil)
	return nil
}

// refuses waits until the doctor says that the records are refused.
func (r *harness) refuses(ctx context.Context) error {
	return testbed.Await(ctx, 90*time.Second, 500*time.Millisecond, "the worker's refusal", func() error {
		// A living worker ends when it sees them, to begin anew; Docker restarts no container of a soak.
		if _, err := testbed.Docker(ctx, "start", r.RoleContainer("worker")); err != nil {
			return err
		}
		var d api.Diagnosis
		// A start in the wrong records leaves the panel's pages as they were; the doctor is asked over its socket.
		if err := apiclient.OverSocket(r.Config.Paths().CLISocket()).Get(ctx, api.PathDoctor, &d); err != nil {
			return err
		}
		for _, c := range d.Checks {
			if c.Name == "records" && c.State == api.CheckRed {
				r.note("The doctor said: %s. %s", c.Found, c.Advice)
				return nil
			}
		}
		return fmt.Errorf("%v", d.Checks)
	})
}
