// Command soak tests a whole instance under failures and writes a report: it kills worker and panel
// inside operations, restarts Docker's daemon, kills databases and Keycloak, fills the disk, moves clocks, starts a second
// worker and an older dump, and asks other sites for pages all the while. deploy/soak.sh brings the instance up and
// takes it away; "make soak" runs both. It is no test of a build: it takes half an hour and a machine of its own.
//
// Start reading at runAll.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the numbers of failures.
type options struct {
	config, summary, helper, report string
	seed                            uint64
	kills, hits                     int // of worker and panel together; in each phase
	docker, databases, keycloak     int
	full                            int
	lives                           int // sites that are led through their lives at a time
	rate                            int // requests per second
	clocks, strangers, greedy       bool
}

func main() {
	var o options
	flag.StringVar(&o.config, "config", "", "configuration `file` of the instance")
	flag.StringVar(&o.summary, "summary", "", "`file` with the instance's people and site")
	flag.StringVar(&o.helper, "helper", "deploy/soak.sh", "`script` that does what only the instance's maker can")
	flag.StringVar(&o.report, "report", "docs/soak.md", "`file` to write")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of all that is random")
	flag.IntVar(&o.kills, "kills", 100, "SIGKILLs of worker and panel that land inside an operation, at least")
	flag.IntVar(&o.hits, "hits", 10, "hits in each phase, at least")
	flag.IntVar(&o.docker, "docker", 10, "restarts of Docker's daemon")
	flag.IntVar(&o.databases, "databases", 10, "kills of each of the two databases")
	flag.IntVar(&o.keycloak, "keycloak", 5, "kills of Keycloak")
	flag.IntVar(&o.full, "full", 10, "times the disk is filled")
	flag.IntVar(&o.lives, "lives", 5, "sites led through their lives at a time")
	flag.IntVar(&o.rate, "rate", 22, "requests of visitors per second")
	flag.BoolVar(&o.clocks, "clocks", true, "move the clocks of worker and panel by an hour each way")
	flag.BoolVar(&o.strangers, "strangers", true, "start a second worker, and a worker on an older dump")
	flag.BoolVar(&o.greedy, "greedy", true, "let a site fill the disk, with bytes and with files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// errFaults means that the run found faults, which are in the report.
var errFaults = errors.New("faults found: see the report")

func run(ctx context.Context, o options) error {
	r, err := newHarness(o)
	if err != nil {
		return err
	}
	defer r.close()
	r.logf("seed %d", o.seed)
	if err := r.runAll(ctx); err != nil {
		r.fail("the run was cut short: %v", err)
	}
	if r.guests == nil {
		return fmt.Errorf("%w: %v", errFaults, r.faults)
	}
	r.guests.end()
	if err := r.write(o.report); err != nil {
		return err
	}
	if n := len(r.faults); n > 0 {
		return fmt.Errorf("%w (%d)", errFaults, n)
	}
	return nil
}

// runAll runs all rounds.
func (r *harness) runAll(ctx context.Context) error {
	before, err := r.List(ctx)
	if err != nil {
		return err
	}
	if err := r.dump(ctx, dumpAtStart); err != nil {
		return err
	}
	guests, err := r.newVisitors(ctx)
	if err != nil {
		return err
	}
	guests.begin(ctx)
	lives := r.newLives()
	lives.begin(ctx)
	for _, round := range []struct {
		name string
		fn   func(context.Context) error
	}{
		{"SIGKILL of worker and panel", r.killRounds}, {"restarts of Docker's daemon", r.dockerRounds},
		{"kills of the databases", r.databaseRounds}, {"kills of Keycloak", r.keycloakRounds},
		{"full disk", r.fullRounds}, {"greedy sites", r.greedyRounds}, {"clocks", r.clockRounds}, {"strangers", r.secondWorkerRounds},
	} {
		r.logf("── %s", round.name)
		if err := round.fn(ctx); err != nil {
			return fmt.Errorf("%s: %w", round.name, err)
		}
		r.health(ctx, round.name)
	}
	r.logf("── the end of all lives")
	lives.end(ctx)
	guests.end()
	r.compareInventory(ctx, before)
	return ctx.Err()
}
