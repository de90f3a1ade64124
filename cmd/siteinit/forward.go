package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"chatiere/cmd/siteinit/internal/forward"
	"chatiere/cmd/siteinit/internal/supervise"
)

const maxForwards = 1024

// forwardVerb carries one address to another, alone or beside a command.
func forwardVerb(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	addresses, command := split(args)
	if len(addresses) != 2 || command != nil && len(command) == 0 {
		_, _ = fmt.Fprint(stderr, usage)
		return exitUsage
	}
	listen, err := forward.ParseAddress(addresses[0])
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitUsage
	}
	dial, err := forward.ParseAddress(addresses[1])
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitUsage
	}
	return carry(ctx, listen, dial, command, stdout, stderr)
}

func carry(ctx context.Context, listen, dial forward.Address, command []string, stdout, stderr io.Writer) int {
	log := newLog(stderr)
	listener, err := forward.Listen(ctx, listen)
	if err != nil {
		log.Error("listening", "address", listen.Address, "error", err)
		return exitFailed
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	report := func(err error) { log.Warn("forwarding", "error", err) }
	go func() {
		defer close(done)
		forward.Serve(serving, listener, maxForwards, forward.Plain(dial, report), log)
	}()
	defer func() { stop(); <-done }()
	if command == nil {
		<-ctx.Done()
		return 0
	}
	if err := supervise.AdoptOrphans(); err != nil && os.Getpid() != 1 {
		log.Warn("adopting orphans", "error", err)
	}
	return supervise.Run(ctx, supervise.Options{
		Processes: []supervise.Process{single(command)},
		Grace:     defaultGrace, Stdout: stdout, Stderr: stderr, Log: log,
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
