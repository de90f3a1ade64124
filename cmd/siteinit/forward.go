package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"chatiere/cmd/siteinit/internal/forward"
	"chatiere/cmd/siteinit/internal/supervise"
)

const maxForwards = 1024

// forwarding is what the verb was told.
type forwarding struct {
	listen, dial forward.Address
	command      []string
	each         int           // connections of one user at a time; 0: no bound
	grace        time.Duration // how long the command may take to end
}

// forwardVerb carries one address to another, alone or beside a command.
func forwardVerb(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := readForwarding(args, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitUsage
	}
	return f.run(ctx, stdout, stderr)
}

var errUsage = errors.New(strings.TrimSpace(usage))

func readForwarding(args []string, stderr io.Writer) (f forwarding, err error) {
	flags := flag.NewFlagSet("forward", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&f.each, "each", 0, "connections of one user at a time; the socket is open to all then")
	flags.DurationVar(&f.grace, "grace", defaultGrace, "how long the command may take to end")
	before, command := split(args)
	if err := flags.Parse(before); err != nil || flags.NArg() != 2 || f.each < 0 || command != nil && len(command) == 0 {
		return f, errUsage
	}
	f.command = command
	if f.listen, err = forward.ParseAddress(flags.Arg(0)); err != nil {
		return f, err
	}
	f.dial, err = forward.ParseAddress(flags.Arg(1))
	return f, err
}

func (f forwarding) open(ctx context.Context) (net.Listener, error) {
	if f.each > 0 {
		return forward.ListenMode(ctx, f.listen, 0o666)
	}
	return forward.Listen(ctx, f.listen)
}

func (f forwarding) run(ctx context.Context, stdout, stderr io.Writer) int {
	log := newLog(stderr)
	listener, err := f.open(ctx)
	if err != nil {
		log.Error("listening", "address", f.listen.Address, "error", err)
		return exitFailed
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	report := func(err error) { log.Warn("forwarding", "error", err) }
	handle := forward.Plain(f.dial, report)
	if f.each > 0 {
		handle = forward.PerUser(f.each, handle, report)
	}
	go func() {
		defer close(done)
		forward.Serve(serving, listener, maxForwards, handle, log)
	}()
	defer func() { stop(); <-done }()
	if f.command == nil {
		<-ctx.Done()
		return 0
	}
	if err := supervise.AdoptOrphans(); err != nil && os.Getpid() != 1 {
		log.Warn("adopting orphans", "error", err)
	}
	return supervise.Run(ctx, supervise.Options{
		Processes: []supervise.Process{single(f.command)},
		Grace:     f.grace, Stdout: stdout, Stderr: stderr, Log: log,
	})
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
