package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// child is a started process. code may be read once ended is closed.
type child struct {
	Process
	pid   int
	ended chan struct{}
	code  int

	mu   sync.Mutex
	dead bool // its number may belong to somebody else by now
}

func (c *child) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead {
		_ = syscall.Kill(c.pid, s) // it can only have ended: then ended says so
	}
}

func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead {
		_ = syscall.Kill(-c.pid, syscall.SIGKILL)
	}
}

// reaper is the only one to wait for children: as process 1 it also receives
// orphans, which os/exec does not know, and a wait for "any" by one and for
// "this" by another would steal from each other.
type reaper struct {
	signals chan os.Signal
	quit    chan struct{}
	done    chan struct{}

	mu       sync.Mutex
	children map[int]*child
}

func newReaper() *reaper {
	r := &reaper{
		signals:  make(chan os.Signal, 1),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
		children: map[int]*child{},
	}
	signal.Notify(r.signals, syscall.SIGCHLD)
	go r.loop()
	return r
}

func (r *reaper) close() {
	signal.Stop(r.signals)
	close(r.quit)
	<-r.done
}

// start holds the lock over fork and registration, so that a child that ends
// at once is not reaped as a stranger.
func (r *reaper) start(p Process, cmd *exec.Cmd) (*child, error) {
	if !file(cmd.Stdout) || !file(cmd.Stderr) {
		return nil, fmt.Errorf("output of %s is no file", p.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{Process: p, pid: cmd.Process.Pid, ended: make(chan struct{})}
	r.children[c.pid] = c
	return c, cmd.Process.Release()
}

// loop also looks once a second: one signal may stand for many children, and a
// lost one must not leave a dead site running.
func (r *reaper) loop() {
	defer close(r.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-r.signals:
		case <-tick.C:
		}
		r.reap()
	}
}

func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.children {
		c.mu.Lock() // no signal to a number that wait is about to free
		defer c.mu.Unlock()
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if c, ours := r.children[pid]; ours {
			delete(r.children, pid)
			c.dead, c.code = true, exitCode(status)
			close(c.ended)
		}
	}
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
