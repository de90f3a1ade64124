package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
	"chatiere/cmd/siteinit/internal/supervise"
)

const maxForwards = 1024

// forwardOptions are the arguments of the verb.
type forwardOptions struct {
	listen, dial forward.Address
	command      []string
	each         int           // connections of one user at a time; 0: no bound
	sites        string        // below it each site has a directory, which gets a socket of its own; empty: none
	deaths       string        // where to note which sites used the command when it ended by itself; empty: nowhere
	grace        time.Duration // how long the command may take to end

	activity *forward.Activity
}

// forwardVerb forwards connections from one address to another, alone or beside a command.
func forwardVerb(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := readForwarding(args, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitUsage
	}
	return f.run(ctx, stdout, stderr)
}

var errUsage = errors.New(strings.TrimSpace(usage))

func readForwarding(args []string, stderr io.Writer) (f forwardOptions, err error) {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&f.each, "each", 0, "connections of one user at a time; the socket is open to all then")
	flags.StringVar(&f.sites, "sites", "", "a directory below which each site has its own, which gets a socket of the same name")
	flags.StringVar(&f.deaths, "deaths", "", "a directory for a note of which sites used the command when it ended by itself")
	flags.DurationVar(&f.grace, "grace", defaultGrace, "how long the command may take to end")
	before, command := split(args)
	if err := flags.Parse(before); err != nil || flags.NArg() != 2 || f.each < 0 || f.sites != "" && f.each == 0 || f.deaths != "" && f.sites == "" || command != nil && len(command) == 0 {
		return f, errUsage
	}
	f.command, f.activity = command, &forward.Activity{}
	if f.listen, err = forward.ParseAddress(flags.Arg(0)); err != nil {
		return f, err
	}
	f.dial, err = forward.ParseAddress(flags.Arg(1))
	return f, err
}

func (f forwardOptions) open(ctx context.Context) (net.Listener, error) {
	if f.each > 0 {
		return forward.ListenMode(ctx, f.listen, 0o666)
	}
	return forward.Listen(ctx, f.listen)
}

func (f forwardOptions) run(ctx context.Context, stdout, stderr io.Writer) int {
	log := newLog(stderr)
	listener, err := f.open(ctx)
	if err != nil {
		log.Error("listening", "address", f.listen.Address, "error", err)
		return exitFailed
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.serve(serving, listener, log)
	}()
	defer func() { stop(); <-done }()
	if f.command == nil {
		<-ctx.Done()
		return 0
	}
	if err := supervise.AdoptOrphans(); err != nil && os.Getpid() != 1 {
		log.Warn("adopting orphans", "error", err)
	}
	code := supervise.Run(ctx, supervise.Options{
		Processes: []supervise.Process{single(f.command)},
		Grace:     f.grace, Stdout: stdout, Stderr: stderr, Log: log,
	})
	if code != 0 && ctx.Err() == nil {
		f.recordDeath(code, log)
	}
	return code
}

// recordDeath records which sites used the command when it ended by itself.
func (f forwardOptions) recordDeath(code int, log *slog.Logger) {
	now := time.Now().UTC()
	sites := f.activity.Snapshot(now)
	if f.deaths == "" || len(sites) == 0 {
		return
	}
	if err := writeDeath(f.deaths, death{Format: 1, At: now, Code: code, Sites: sites}); err != nil {
		log.Error("noting which sites used the command", "error", err)
	}
}

// serve forwards connections until ctx ends.
func (f forwardOptions) serve(ctx context.Context, listener net.Listener, log *slog.Logger) {
	report := func(err error) { log.Warn("forwarding", "error", err) }
	handle := forward.Plain(f.dial, report)
	if f.each > 0 {
		handle = forward.PerUser(f.each, handle, report)
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	if f.sites != "" {
		site := func(name string) forward.Handler { return f.activity.Handler(name, f.dial, report) }
		sites := &forward.Sites{Dir: f.sites, Name: filepath.Base(f.listen.Address), Limit: f.each, Handle: site, Log: log}
		wait.Go(func() { sites.Run(ctx) })
	}
	forward.Serve(ctx, listener, maxForwards, handle, log)
}

func split(args []string) (before, command []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

func single(command []string) supervise.Process {
	return supervise.Process{Name: filepath.Base(command[0]), Command: command, Stop: syscall.SIGTERM}
}
