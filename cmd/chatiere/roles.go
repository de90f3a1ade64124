package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/wire"
)

// role is one process of the platform, in a container of its own.
type role struct {
	name, short string
	// memory is where the collector becomes eager, in MiB: well below the container's limit.
	memory int64
	run    func(ctx context.Context, c config.Config, log *slog.Logger) error
}

var roles = []role{
	{"proxy", "Run the edge: the sites' front door", 384, wire.Proxy},
	{"panel", "Run the panel: pages and API", 192, wire.Panel},
	{"worker", "Run the worker: carries operations out", 384, wire.Work},
	{"gateway", "Run the gateway: the sites' only way out", 192, wire.Gateway},
}

func (p *program) roleCommands() []*cobra.Command {
	var out []*cobra.Command
	for _, r := range roles {
		out = append(out, &cobra.Command{
			Use: r.name, Short: r.short, Args: usage(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error { return p.play(cmd.Context(), r) },
		})
	}
	return out
}

// play runs a role until it is told to end.
func (p *program) play(ctx context.Context, r role) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(r.memory << 20)
	}
	log := slog.New(slog.NewJSONHandler(p.stderr, nil)).With("role", r.name, "instance", c.Instance)
	log.Info("starting")
	err = r.run(ctx, c, log)
	if err != nil && ctx.Err() == nil {
		log.Error("ended", "error", err)
		return err
	}
	log.Info("ended")
	return nil
}
