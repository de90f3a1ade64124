package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/cmd/internal/inventory"
)

// harness is the tested instance with the injected failures and the results.
type harness struct {
	options
	machine inventory.Machine
	config  config.Config
	summary demo.Summary
	panel   *apiclient.Client
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
	c, err := config.Load(o.config, os.Environ())
	if err != nil {
		return nil, err
	}
	r := &harness{
		options: o, machine: inventory.Machine{Config: c}, config: c, panel: apiclient.OverSocket(c.Paths().CLISocket()), began: time.Now(),
		random: rand.New(rand.NewPCG(o.seed, 1)), hits: map[string]map[string]int{}, landed: map[string]int{},
	}
	data, err := os.ReadFile(o.summary)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &r.summary); err != nil {
		return nil, fmt.Errorf("reading the summary: %w", err)
	}
	if len(r.summary.Sites) == 0 {
		return nil, fmt.Errorf("the summary names no site")
	}
	if r.db, err = r.machine.Database(); err != nil {
		return nil, err
	}
	r.trace, err = newTrace(filepath.Join(c.Root, "hold"))
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

// sleep waits; false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// until polls a condition; what it last said is told when it never holds.
func until(ctx context.Context, within, every time.Duration, what string, holds func() (bool, string)) error {
	for deadline := time.Now().Add(within); ; {
		ok, said := holds()
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s; last: %s", what, within, said)
		}
		if !sleep(ctx, every) {
			return ctx.Err()
		}
	}
}

// command returns all that a command said.
func command(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, err
}

func docker(ctx context.Context, args ...string) (string, error) {
	return command(ctx, "docker", args...)
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

func (r *harness) container(role string) string { return "chatiere-" + r.config.Instance + "-" + role }

// kill ends the first process of a container where it stands, as the kernel would for want of memory: Docker's own kill
// takes tens of milliseconds to arrive, and counts as the wish of a person who wants it to stay down.
func (r *harness) kill(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

func (r *harness) pid(ctx context.Context, role string) (int, error) {
	text, err := docker(ctx, "inspect", "-f", "{{.State.Pid}}", r.container(role))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(text)
	if err == nil && pid == 0 {
		err = fmt.Errorf("%s does not run", role)
	}
	return pid, err
}

// awaitExit waits until a process is no more.
func awaitExit(ctx context.Context, pid int) error {
	return until(ctx, 20*time.Second, time.Millisecond, fmt.Sprintf("the end of process %d", pid), func() (bool, string) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return true, ""
		}
		at := strings.LastIndexByte(string(data), ')')
		return strings.HasPrefix(string(data[at+1:]), " Z"), "still there"
	})
}

// healthy asks a role's health over its socket.
func (r *harness) healthy(ctx context.Context, role string) error {
	socket := r.config.Paths().WorkerSocket()
	if role == "panel" {
		socket = r.config.Paths().PanelSocket()
	}
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/health", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", role, res.Status)
	}
	return nil
}

// awaitHealthy waits until a role answers that it is at work.
func (r *harness) awaitHealthy(ctx context.Context, role string, within time.Duration) error {
	return until(ctx, within, 50*time.Millisecond, role, func() (bool, string) {
		err := r.healthy(ctx, role)
		return err == nil, fmt.Sprint(err)
	})
}

// inFlight returns the operations that some worker holds, by the database: those of a dead one as well.
func (r *harness) inFlight(ctx context.Context) ([]string, error) {
	return r.ids(ctx, "SELECT id FROM operations WHERE lease_until IS NOT NULL")
}
