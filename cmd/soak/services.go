package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"chatiere/cmd/internal/testbed"
	"chatiere/panel/api"
)

// busyAgain waits until an operation is in the middle of a step, and then a random moment.
func (r *harness) busyAgain(ctx context.Context) {
	testbed.Sleep(ctx, r.randDuration(2*time.Second))
	r.trace.next(20*time.Second, func(p position) bool { return p.phase == doing })
	testbed.Sleep(ctx, r.randDuration(300*time.Millisecond))
}

// dockerRounds restarts Docker's daemon. The worker gets its restart policy back meanwhile: one that is left with the old
// daemon's socket ends by itself and relies on it.
func (r *harness) dockerRounds(ctx context.Context) error {
	if r.docker == 0 {
		return nil
	}
	if err := r.policy(ctx, "unless-stopped"); err != nil {
		return err
	}
	for range r.docker {
		r.busyAgain(ctx)
		from := time.Now()
		ops, err := r.inFlight(ctx)
		if err != nil {
			return err
		}
		if _, err := r.runHelper(ctx, "engine"); err != nil {
			return err
		}
		r.injected("restart of Docker's daemon", from, ops)
		// The worker needs a while to notice; the next restart must find it at work again.
		old, back := time.Now(), time.Time{}
		err = testbed.Await(ctx, 2*time.Minute, 200*time.Millisecond, "the worker's return", func() error {
			text, err := testbed.Docker(ctx, "inspect", "-f", "{{.State.StartedAt}}", r.RoleContainer("worker"))
			if err != nil {
				return err
			}
			started, err := time.Parse(time.RFC3339Nano, text)
			if err != nil || !started.After(from) {
				return errors.New("since " + text)
			}
			back = time.Now()
			err = r.healthy(ctx, "worker")
			return err
		})
		if err != nil {
			r.fail("after a restart of Docker's daemon: %v", err)
			_, _ = testbed.Docker(ctx, "restart", r.RoleContainer("worker"))
		}
		r.logf("daemon restarted in %s, worker back after %s", old.Sub(from).Round(time.Millisecond), back.Sub(from).Round(time.Millisecond))
	}
	return r.policy(ctx, "no")
}

func (r *harness) policy(ctx context.Context, name string) error {
	_, err := testbed.Docker(ctx, "update", "--restart", name, r.RoleContainer("worker"))
	return err
}

func (r *harness) databaseRounds(ctx context.Context) error {
	sites, err := r.SitesDatabase()
	if err != nil {
		return err
	}
	defer func() { _ = sites.Close() }()
	for range r.databases {
		if err := r.killDatabase(ctx, "mariadb", r.db); err != nil {
			return err
		}
		if err := r.killDatabase(ctx, sitesDatabase, sites); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// killDatabase kills a database and waits until Docker has brought it back.
func (r *harness) killDatabase(ctx context.Context, role string, db *sql.DB) error {
	r.busyAgain(ctx)
	pid, err := r.PID(ctx, role)
	if err != nil {
		return err
	}
	ops, err := r.inFlight(ctx)
	if err != nil {
		return err
	}
	from, end := time.Now(), r.journal.begin(role)
	if err := r.kill(pid); err != nil {
		return err
	}
	if err := awaitExit(ctx, pid); err != nil {
		return err
	}
	err = testbed.Await(ctx, 90*time.Second, 20*time.Millisecond, role+" back", func() error {
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := db.PingContext(bounded)
		return err
	})
	end()
	if err != nil {
		return err
	}
	r.injected("SIGKILL of "+role, from, ops)
	r.logf("%s answers again after %s", role, time.Since(from).Round(time.Millisecond))
	testbed.Sleep(ctx, 8*time.Second) // Docker doubles its pause before a restart unless the container ran for ten seconds
	return nil
}

// keycloakRounds kills Keycloak while associations' groups are being made.
func (r *harness) keycloakRounds(ctx context.Context) error {
	for n := range r.keycloak {
		op, err := r.lives.request(ctx, api.PathAssociations, r.association(n), fmt.Sprintf("association-%d", n))
		if err != nil {
			return err
		}
		r.busyAgain(ctx)
		pid, err := r.PID(ctx, "keycloak")
		if err != nil {
			return err
		}
		ops, err := r.inFlight(ctx)
		if err != nil {
			return err
		}
		from := time.Now()
		if err := r.kill(pid); err != nil {
			return err
		}
		second, err := r.lives.request(ctx, api.PathAssociations, r.association(n+100), fmt.Sprintf("association-%d", n+100))
		if err != nil {
			return err
		}
		if err := r.answers(ctx); err != nil {
			return err
		}
		r.injected("SIGKILL of Keycloak", from, append(ops, op.ID, second.ID))
		r.logf("Keycloak answers again after %s", time.Since(from).Round(time.Millisecond))
		for _, id := range []string{op.ID, second.ID} {
			if end := r.lives.follow(ctx, id); end.State != "done" {
				r.fail("operation %s (%s) ended %s: %s %s", id, end.Kind, end.State, end.Problem, end.Detail)
			}
		}
	}
	return ctx.Err()
}

func (r *harness) association(n int) api.NewAssociation {
	slug := fmt.Sprintf("soak-%x-%d", r.seed&0xffffff, n)
	return api.NewAssociation{Name: slug, Slug: slug}
}

// answers waits for Keycloak.
func (r *harness) answers(ctx context.Context) error {
	return testbed.Await(ctx, 4*time.Minute, 250*time.Millisecond, "Keycloak", func() error {
		_, err := r.Groups(ctx)
		return err
	})
}
