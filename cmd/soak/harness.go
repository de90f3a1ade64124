package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/testbed"
)

// harness is the tested instance with the injected failures and the results.
type harness struct {
	options
	*testbed.Instance
	db      *sql.DB // the panel's database, as its root
	trace   *trace
	journal outageLog
	began   time.Time
	lives   *lives
	guests  *visitors

	mu      sync.Mutex
	random  *rand.Rand
	faults  []string // what fell off
	notes   []string // what is told in the report beside the figures
	hits    map[string]map[string]int
	landed  map[string]int // kills that landed inside an operation, by role
	missed  int
	injects []inject

	orphans, lost int                  // at the end
	balanced      bool                 // the end was reached, so that they were counted
	ended         map[string]time.Time // when operations ended
}

// inject is one injected failure.
type inject struct {
	kind     string
	from, to time.Time // to: when the thing was there again
	ops      []string  // that were in flight
}

func newHarness(o options) (*harness, error) {
	i, err := testbed.Open(o.config, o.summary)
	if err != nil {
		return nil, err
	}
	r := &harness{
		options: o, Instance: i, began: time.Now(),
		random: rand.New(rand.NewPCG(o.seed, 1)), hits: map[string]map[string]int{}, landed: map[string]int{},
	}
	if r.db, err = r.Database(); err != nil {
		return nil, err
	}
	r.trace, err = newTrace(filepath.Join(i.Config.Root, "hold"))
	return r, err
}

func (r *harness) close() {
	_ = r.db.Close() // nothing is written through it at the end
	r.trace.close()
}

func (r *harness) logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "[%5.0fs] %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// fail records a fault.
func (r *harness) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.logf("✗ %s", text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf("%s: %s", time.Now().UTC().Format("15:04:05"), text))
}

func (r *harness) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.logf("%s", text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, text)
}

func (r *harness) injected(kind string, from time.Time, ops []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.injects = append(r.injects, inject{kind, from, time.Now(), ops})
}

// randInt draws below n.
func (r *harness) randInt(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.IntN(n)
}

// randDuration draws a duration below d.
func (r *harness) randDuration(d time.Duration) time.Duration {
	return time.Duration(r.randInt(int(d)))
}

// runHelper asks the script that made the instance. Its answer is what it prints; what it says meanwhile is not.
func (r *harness) runHelper(ctx context.Context, args ...string) (string, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, r.helper, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", r.helper, strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return strings.TrimSpace(string(out)), err
}

// kill ends the first process of a container where it stands, as the kernel would for want of memory: Docker's own kill
// takes tens of milliseconds to arrive, and counts as the wish of a person who wants it to stay down.
func (r *harness) kill(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

// awaitExit waits until a process is no more.
func awaitExit(ctx context.Context, pid int) error {
	return testbed.Await(ctx, 20*time.Second, time.Millisecond, fmt.Sprintf("the end of process %d", pid), func() error {
		state, err := testbed.Figure(fmt.Sprintf("%d/status", pid), "State")
		if err == nil && !strings.HasPrefix(state, "Z") {
			return errors.New(state)
		}
		return nil
	})
}

// healthy asks a role's health over its socket.
func (r *harness) healthy(ctx context.Context, role string) error {
	socket := r.Config.Paths().WorkerSocket()
	if role == "panel" {
		socket = r.Config.Paths().PanelSocket()
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return apiclient.Ask(ctx, socket, "/health", nil)
}

// awaitHealthy waits until a role answers that it is at work.
func (r *harness) awaitHealthy(ctx context.Context, role string, within time.Duration) error {
	return testbed.Await(ctx, within, 50*time.Millisecond, role, func() error {
		return r.healthy(ctx, role)
	})
}

// inFlight returns the operations that some worker holds, by the database: those of a dead one as well.
func (r *harness) inFlight(ctx context.Context) ([]string, error) {
	return r.ids(ctx, "SELECT id FROM operations WHERE lease_until IS NOT NULL")
}
