package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"chatiere/backups"

	"golang.org/x/sync/errgroup"
)

// Runner starts children. Errors of a task keep their identity: [backups.ErrNotFound], [backups.ErrDamaged],
// [backups.ErrPassword], and syscall.ENOSPC for a full disk.
type Runner struct {
	// Command starts a child that calls [Serve]: a program and its arguments.
	Command []string
	// Idle makes processor and disk serve everybody else first; not for what a person waits for.
	Idle bool
}

// SaveRequest says what to save.
type SaveRequest struct {
	Dir             string // "": no files
	Subject, Reason string
	Details         map[string]string
	// Engine of the database; "": none.
	Engine string
	// Dump writes the dump and returns the tables that had to be locked meanwhile; when it fails nothing is saved.
	Dump func(ctx context.Context, w io.Writer) (locked []string, err error)
}

// Save saves a snapshot; a repository that does not exist is made.
func (r Runner) Save(ctx context.Context, at Place, s SaveRequest, progress func(backups.Progress)) (backups.Snapshot, error) {
	job := job{progress: progress, request: request{
		Task: taskSave, Place: at, Idle: r.Idle, Dir: s.Dir, Subject: s.Subject, Reason: s.Reason, Details: s.Details, Engine: s.Engine,
	}}
	if s.Engine != "" {
		job.produce = s.Dump
	}
	done, err := r.run(ctx, job)
	if err == nil && len(done.Snapshots) != 1 {
		err = fmt.Errorf("saving made %d snapshots", len(done.Snapshots))
	}
	if err != nil {
		return backups.Snapshot{}, err
	}
	return done.Snapshots[0].snapshot(), nil
}

// Restore writes the files of a snapshot into an empty directory; of paths alone, unless there are none.
func (r Runner) Restore(ctx context.Context, at Place, snapshotID, dir string, paths []string, progress func(backups.Progress)) error {
	_, err := r.run(ctx, job{progress: progress, request: request{
		Task: taskRestore, Place: at, Idle: r.Idle, Snapshot: snapshotID, Dir: dir, Paths: paths,
	}})
	return err
}

// Dump writes the dump of a snapshot to w. Only when it ends without an error was it the dump that was saved.
func (r Runner) Dump(ctx context.Context, at Place, snapshotID string, w io.Writer) error {
	_, err := r.run(ctx, job{consume: w, request: request{Task: taskDump, Place: at, Idle: r.Idle, Snapshot: snapshotID}})
	return err
}

// List returns all snapshots, oldest first; none where there is no repository yet.
func (r Runner) List(ctx context.Context, at Place) ([]backups.Snapshot, error) {
	done, err := r.run(ctx, job{request: request{Task: taskList, Place: at, Idle: r.Idle}})
	if errors.Is(err, backups.ErrNotFound) {
		return nil, nil
	}
	return done.snapshots(), err
}

// Verify reads a part of a snapshot again, or of all of them ("").
func (r Runner) Verify(ctx context.Context, at Place, snapshotID string, part backups.Part, progress func(backups.Progress)) (backups.Verified, error) {
	done, err := r.run(ctx, job{progress: progress, request: request{
		Task: taskVerify, Place: at, Idle: r.Idle, Snapshot: snapshotID, Part: part,
	}})
	if err != nil || done.Verified == nil {
		return backups.Verified{}, err
	}
	return *done.Verified, nil
}

// Forget removes snapshots and what only they had, and returns those that are left.
func (r Runner) Forget(ctx context.Context, at Place, ids []string) ([]backups.Snapshot, error) {
	done, err := r.run(ctx, job{request: request{Task: taskForget, Place: at, Idle: r.Idle, Forget: ids}})
	return done.snapshots(), err
}

// Pin sets whether a snapshot is kept for good, and returns it with its new id.
func (r Runner) Pin(ctx context.Context, at Place, snapshotID string, pinned bool) (backups.Snapshot, error) {
	done, err := r.run(ctx, job{request: request{Task: taskPin, Place: at, Idle: r.Idle, Snapshot: snapshotID, Pinned: pinned}})
	if err != nil || len(done.Snapshots) != 1 {
		return backups.Snapshot{}, err
	}
	return done.Snapshots[0].snapshot(), nil
}

func (r result) snapshots() []backups.Snapshot {
	var out []backups.Snapshot
	for _, l := range r.Snapshots {
		out = append(out, l.snapshot())
	}
	return out
}

// job is one run of a child.
type job struct {
	request  request
	progress func(backups.Progress)
	produce  func(context.Context, io.Writer) ([]string, error) // writes the third pipe
	consume  io.Writer                                          // gets what comes out of it
}

// run starts a child, and returns when it and all it started have ended.
func (r Runner) run(asked context.Context, j job) (result, error) {
	ctx, cancel := context.WithCancel(asked)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Command[0], r.Command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	var stderr strings.Builder
	cmd.Stderr = &limited{w: &stderr, left: 8 << 10}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return result{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	ours, err := j.pipe(cmd)
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, errors.Join(err, closeAll(ours), closeAll(cmd.ExtraFiles...))
	}
	_ = closeAll(cmd.ExtraFiles...) // the child has them
	err = json.NewEncoder(stdin).Encode(j.request)
	var transfer errgroup.Group
	transfer.Go(func() error { return j.transfer(ctx, ours, stdin) })
	var done result
	if err == nil {
		done, err = j.events(stdout)
	}
	if err != nil { // the child says nothing more: whatever it does is of no use
		cancel()
	}
	waited := cmd.Wait()
	if j.produce != nil { // nobody reads any more
		cancel()
		_ = closeAll(ours)
	}
	transferred := transfer.Wait() // a dump that comes out is read to its end: the child's last bytes may still be in the pipe
	switch {
	case asked.Err() != nil:
		return result{}, context.Cause(asked)
	case done.Error != "" && done.Code == "" && j.produce != nil && causes(transferred):
		return result{}, transferred // where the child only knows that the dump failed
	case done.Error != "":
		return result{}, done.err()
	case err != nil || waited != nil:
		return result{}, fmt.Errorf("the backup process ended early: %w: %.2000s", errors.Join(err, waited), stderr.String())
	}
	return done, transferred
}

// pipe gives the child its third pipe, and returns our end; nil where it needs none.
func (j job) pipe(cmd *exec.Cmd) (*os.File, error) {
	if j.produce == nil && j.consume == nil {
		return nil, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	theirs, ours := read, write
	if j.consume != nil {
		theirs, ours = write, read
	}
	cmd.ExtraFiles = []*os.File{theirs}
	return ours, nil
}

// transfer moves a dump through our end of the third pipe.
func (j job) transfer(ctx context.Context, ours *os.File, stdin io.Writer) error {
	switch {
	case j.produce != nil:
		locked, err := j.produce(ctx, ours)
		v := verdict{Locked: locked}
		if err != nil {
			v = verdict{Error: err.Error()}
		}
		// The verdict first: with the end of the dump alone the child would wait for it.
		if werr := json.NewEncoder(stdin).Encode(v); err == nil {
			err = werr
		}
		return errors.Join(err, ours.Close())
	case j.consume != nil:
		_, err := io.Copy(j.consume, ours)
		return errors.Join(err, ours.Close()) // after an error the child's next write fails
	}
	return nil
}

// causes reports whether a transfer failed by itself, and not because its child had ended.
func causes(err error) bool {
	return err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) && !errors.Is(err, context.Canceled)
}

// events reads the child's output until it is done.
func (j job) events(stdout io.Reader) (result, error) {
	lines := json.NewDecoder(bufio.NewReader(stdout))
	for {
		var e event
		if err := lines.Decode(&e); err != nil {
			return result{}, err
		}
		if e.Progress != nil && j.progress != nil {
			j.progress(*e.Progress)
		}
		if e.Done != nil {
			return *e.Done, nil
		}
	}
}

func closeAll(files ...*os.File) error {
	var errs []error
	for _, f := range files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// limited drops what is beyond a number of bytes.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, err := l.w.Write(p[:n])
	return len(p), err
}
