package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"chatiere/cmd/siteinit/internal/forward"
	"chatiere/cmd/siteinit/internal/supervise"
)

// settings are the flags of the verbs that serve a site. Their defaults are
// what a container has; tests move them to free ports.
type settings struct {
	config string
	dns    string
	mail   string
}

func (s *settings) register(flags *flag.FlagSet) {
	flags.StringVar(&s.config, "config", configPath, "configuration file")
	flags.StringVar(&s.dns, "dns", "127.0.0.1:53", "address of the resolver")
	flags.StringVar(&s.mail, "mail", "127.0.0.1:25", "address of the mail port")
}

func parse(args []string, stderr io.Writer) (settings, []string, error) {
	var s settings
	flags := flag.NewFlagSet("siteinit", flag.ContinueOnError)
	flags.SetOutput(stderr)
	s.register(flags)
	err := flags.Parse(args)
	return s, flags.Args(), err
}

func newLog(stderr io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(stderr, nil)).With("from", "siteinit")
}

// serve runs what the configuration says.
func serve(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	s, rest, err := parse(args, stderr)
	if err != nil || len(rest) > 0 {
		return exitUsage
	}
	log := newLog(stderr)
	c, err := readConfig(s.config)
	if err != nil {
		log.Error("reading configuration", "error", err)
		return exitUsage
	}
	processes, err := c.processes()
	if err != nil {
		log.Error("reading configuration", "error", err)
		return exitUsage
	}
	for _, socket := range c.StaleSockets {
		if err := forward.RemoveStale(socket); err != nil {
			log.Error("preparing start", "error", err)
		}
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	if err := openHtaccess(serving, c.AccessSocket, log, &wait); err != nil {
		log.Error("listening", "address", c.AccessSocket, "error", err)
		return exitFailed // no file could be served
	}
	return supervised(ctx, s, env, supervise.Options{
		Processes: processes, Grace: c.grace(), Stdout: stdout, Stderr: stderr, Log: log,
	})
}

// runOne gives one command, such as an install hook in a container of its own,
// the names and the egress of the site, and returns its exit code.
func runOne(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	s, command, err := parse(args, stderr)
	if err != nil || len(command) == 0 {
		_, _ = fmt.Fprint(stderr, usage)
		return exitUsage
	}
	return supervised(ctx, s, env, supervise.Options{
		Processes: []supervise.Process{single(command)},
		Grace:     defaultGrace, Stdout: stdout, Stderr: stderr, Log: newLog(stderr),
	})
}

// supervised runs processes beside the network; the network goes last, since
// requests in flight may still need it.
func supervised(ctx context.Context, s settings, env func(string) string, options supervise.Options) int {
	if err := supervise.AdoptOrphans(); err != nil && os.Getpid() != 1 {
		options.Log.Warn("adopting orphans", "error", err)
	}
	network := openNetwork(context.WithoutCancel(ctx), s, env, options.Log)
	defer network.close()
	return supervise.Run(ctx, options)
}
