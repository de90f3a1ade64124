package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"chatiere/backups"
	"chatiere/backups/kopia"

	"golang.org/x/sys/unix"
)

// memoryLimit is what the child's collector keeps to, in bytes.
const memoryLimit = 256 << 20

// dumpFile is the number of the third pipe.
const dumpFile = 3

// Serve does what the request on standard input asks for, and returns the exit code. It ends the process when its parent
// dies.
func Serve(stdin io.Reader, stdout io.Writer) int {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(50)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0) // before the worker, where the kernel lets us
	lines := bufio.NewReader(stdin)
	c := child{out: json.NewEncoder(stdout)}
	if err := readLine(lines, &c.request); err != nil {
		fmt.Fprintln(os.Stderr, "reading the request:", err)
		return 2
	}
	if c.request.Idle {
		yieldToOthers()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.verdicts = make(chan verdict, 1)
	go c.listen(lines, cancel)
	r, err := c.run(ctx)
	if err != nil {
		r = failure(err)
	}
	c.send(event{Done: &r})
	return 0
}

// yieldToOthers lets every other process go first at processor and disk. Where the kernel does not allow it, the task is
// done all the same.
func yieldToOthers() {
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19)
	const whoProcess, classIdle = 1, 3 << 13 // linux/ioprio.h
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, 0, classIdle)
}

func readLine(r *bufio.Reader, v any) error {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

type child struct {
	request  request
	verdicts chan verdict

	mu   sync.Mutex
	out  *json.Encoder
	last time.Time
}

// listen passes the verdict on, and ends the process with its parent: what it has not saved by then nobody waits for.
func (c *child) listen(lines *bufio.Reader, cancel context.CancelFunc) {
	for {
		var v verdict
		if err := readLine(lines, &v); err != nil {
			cancel()
			os.Exit(3)
		}
		c.verdicts <- v
	}
}

func (c *child) send(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Done == nil {
		if time.Since(c.last) < progressEvery {
			return
		}
		c.last = time.Now()
	}
	if err := c.out.Encode(e); err != nil {
		os.Exit(3) // nobody reads
	}
}

func (c *child) progress(p backups.Progress) { c.send(event{Progress: &p}) }

func (c *child) run(ctx context.Context) (r result, err error) {
	o := kopia.Options{Dir: c.request.Place.Dir, Password: c.request.Place.Password}
	if c.request.Task == taskSave {
		if err := kopia.Create(ctx, o); err != nil {
			return r, err
		}
	}
	repository, err := kopia.Open(ctx, o)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, repository.Close(ctx)) }()
	snapshots, err := repository.Snapshots(ctx)
	if err != nil {
		return r, err
	}
	t := chosen{child: c, repository: repository, snapshots: snapshots}
	switch c.request.Task {
	case taskSave:
		return t.save(ctx)
	case taskRestore:
		return t.restore(ctx)
	case taskDump:
		return t.dump(ctx)
	case taskVerify:
		return t.verify(ctx)
	case taskForget:
		return t.forget(ctx)
	case taskPin:
		return t.pin(ctx)
	case taskList:
		return list(snapshots), nil
	}
	return r, fmt.Errorf("unknown task %q", c.request.Task)
}

func list(snapshots []backups.Snapshot) result {
	r := result{Snapshots: make([]listed, 0, len(snapshots))}
	for _, s := range snapshots {
		r.Snapshots = append(r.Snapshots, toListed(s))
	}
	return r
}

// chosen is a task with its open repository.
type chosen struct {
	*child
	repository backups.Repository
	snapshots  []backups.Snapshot // all, oldest first
}

func (t chosen) save(ctx context.Context) (result, error) {
	source := backups.Source{Dir: t.request.Dir}
	if t.request.Engine != "" {
		source.Dump = &backups.DumpSource{Engine: t.request.Engine}
		source.Dump.Reader = &verdictReader{from: os.NewFile(dumpFile, "dump"), child: t.child, source: source.Dump}
	}
	o := backups.Options{
		Subject: t.request.Subject, Reason: t.request.Reason, Details: t.request.Details, Now: time.Now, Progress: t.progress,
	}
	for i := range t.snapshots {
		if t.snapshots[i].Subject == t.request.Subject {
			o.Previous = &t.snapshots[i]
		}
	}
	s, err := backups.Save(ctx, t.repository, source, o)
	if err != nil {
		return result{}, err
	}
	return result{Snapshots: []listed{toListed(s)}}, nil
}

// verdictReader reads a dump. Its end is one only after the parent has said that the program that wrote it succeeded.
type verdictReader struct {
	from   io.Reader
	child  *child
	source *backups.DumpSource
}

func (v *verdictReader) Read(p []byte) (int, error) {
	n, err := v.from.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	said := <-v.child.verdicts
	if said.Error != "" {
		return n, errors.New(said.Error)
	}
	v.source.Locked = said.Locked
	return n, io.EOF
}

// snapshot returns the one that was asked for.
func (t chosen) snapshot() (backups.Snapshot, error) {
	for _, s := range t.snapshots {
		if s.ID == t.request.Snapshot {
			return s, nil
		}
	}
	return backups.Snapshot{}, fmt.Errorf("snapshot %s: %w", t.request.Snapshot, backups.ErrNotFound)
}

func (t chosen) restore(ctx context.Context) (result, error) {
	s, err := t.snapshot()
	if err != nil {
		return result{}, err
	}
	return result{}, backups.Restore(ctx, t.repository, s, t.request.Dir, backups.RestoreOptions{Paths: t.request.Paths, Progress: t.progress})
}

func (t chosen) dump(ctx context.Context) (result, error) {
	out := os.NewFile(dumpFile, "dump")
	s, err := t.snapshot()
	if err != nil {
		return result{}, err
	}
	return result{}, errors.Join(backups.RestoreDump(ctx, t.repository, s, out), out.Close())
}

// verify reads again what the request selects: one snapshot, or all of them.
func (t chosen) verify(ctx context.Context) (result, error) {
	which := t.snapshots
	if t.request.Snapshot != "" {
		s, err := t.snapshot()
		if err != nil {
			return result{}, err
		}
		which = []backups.Snapshot{s}
	}
	v, err := backups.Verify(ctx, t.repository, which, t.request.Part, t.progress)
	return result{Verified: &v}, err
}

// forget takes snapshots off the list and removes what only they had. Those that are gone already are success.
func (t chosen) forget(ctx context.Context) (result, error) {
	err := t.repository.Write(ctx, func(ctx context.Context, w backups.Writer) error {
		for _, id := range t.request.Forget {
			if !slices.ContainsFunc(t.snapshots, func(s backups.Snapshot) bool { return s.ID == id }) {
				continue
			}
			if err := w.Delete(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return result{}, err
	}
	if err := t.repository.Maintain(ctx); err != nil {
		return result{}, err
	}
	left, err := t.repository.Snapshots(ctx)
	return list(left), err
}

func (t chosen) pin(ctx context.Context) (result, error) {
	s, err := t.snapshot()
	if err != nil {
		return result{}, err
	}
	err = t.repository.Write(ctx, func(ctx context.Context, w backups.Writer) error {
		var err error
		s.ID, err = w.Pin(ctx, s.ID, t.request.Pinned)
		s.Pinned = t.request.Pinned
		return err
	})
	return result{Snapshots: []listed{toListed(s)}}, err
}
