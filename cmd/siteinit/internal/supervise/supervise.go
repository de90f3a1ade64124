// Package supervise starts processes in order, reaps every child and orphan,
// and stops all when one ends or when asked to. It restarts nothing: the
// container's own restart does. Start at [Run].
package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Process is one program to run.
type Process struct {
	Name    string
	Command []string
	Stop    syscall.Signal // what asks it to end in good order
	After   []string       // sockets that it is started after, if they appear in time
}

// Options says what to run and where its output goes.
type Options struct {
	Processes []Process
	Grace     time.Duration // from the first stop signal to SIGKILL for all
	Stdout    io.Writer     // files are handed down as they are
	Stderr    io.Writer
	Log       *slog.Logger
	Patience  time.Duration // how long a process waits for its After at most; 0: ten seconds
}

const (
	// defaultPatience is far longer than php-fpm takes. A web server without it still serves its error pages.
	defaultPatience = 10 * time.Second
	socketPoll      = 5 * time.Millisecond
)

// Exit codes of our own, after the shells' custom.
const (
	codeKilled   = 137
	codeNotFound = 127
)

// Run starts the processes and waits until they have all ended: because ctx
// ended (code 0), or because one ended by itself (its code; the others are
// stopped first). A process that does not stop in time is killed: code 137.
func Run(ctx context.Context, options Options) int {
	r := &runner{Options: options, reaper: newReaper()}
	defer r.reaper.close()
	running, err := r.startAll(ctx)
	if err != nil {
		options.Log.Error("starting process", "error", err)
		_ = r.stopAll(running)
		return codeNotFound
	}
	first := make(chan *child, len(running))
	for _, c := range running {
		go func() {
			<-c.ended
			first <- c
		}()
	}
	select {
	case <-ctx.Done():
		return r.stopAll(running)
	case died := <-first:
		options.Log.Error("process ended by itself", "process", died.Name, "code", died.code)
		_ = r.stopAll(running)
		return died.code
	}
}

type runner struct {
	Options
	reaper *reaper
}

// startAll starts no more processes once ctx has ended or one of those before has.
func (r *runner) startAll(ctx context.Context) ([]*child, error) {
	var running []*child
	for _, p := range r.Processes {
		if !r.await(ctx, p, running) {
			return running, nil
		}
		c, err := r.start(p)
		if err != nil {
			return running, fmt.Errorf("%s: %w", p.Name, err)
		}
		running = append(running, c)
	}
	return running, nil
}

// ErrNoCommand says that a process has an empty command.
var ErrNoCommand = errors.New("no command")

// await waits for the sockets that a process is started after. It reports whether to start it.
func (r *runner) await(ctx context.Context, p Process, running []*child) bool {
	patience := time.After(cmp.Or(r.Patience, defaultPatience))
	for !allSockets(p.After) {
		if ended(running) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-patience:
			r.Log.Warn("starting a process without what it waits for", "process", p.Name, "after", p.After)
			return true
		case <-time.After(socketPoll):
		}
	}
	return true
}

func allSockets(paths []string) bool {
	return !slices.ContainsFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Mode().Type() != os.ModeSocket
	})
}

func ended(running []*child) bool {
	return slices.ContainsFunc(running, func(c *child) bool {
		select {
		case <-c.ended:
			return true
		default:
			return false
		}
	})
}

func (r *runner) start(p Process) (*child, error) {
	if len(p.Command) == 0 {
		return nil, ErrNoCommand
	}
	path, err := exec.LookPath(p.Command[0])
	if err != nil {
		return nil, err
	}
	// No context: the end is asked for with the process's own signal.
	cmd := &exec.Cmd{Path: path, Args: p.Command}
	cmd.Stdout, cmd.Stderr = r.Stdout, r.Stderr
	// A group of its own, so that the last SIGKILL meets its children too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return r.reaper.start(p, cmd)
}

// stopAll stops in the reverse of the starting order, one after the other:
// what was started last (the web server) depends on what was started before.
func (r *runner) stopAll(running []*child) int {
	late := time.After(r.Grace)
	code := 0
	for i := len(running) - 1; i >= 0; i-- {
		c := running[i]
		if code == 0 {
			c.signal(c.Stop)
			select {
			case <-c.ended:
				continue
			case <-late:
				code = codeKilled
			}
		}
		r.Log.Warn("process did not stop in time: killing it", "process", c.Name)
		c.kill()
		<-c.ended
	}
	return code
}

// File tells whether a writer can be handed to a child without a copier of
// ours between, which would have to be waited for.
func file(w io.Writer) bool {
	_, ok := w.(*os.File)
	return ok || w == nil
}
