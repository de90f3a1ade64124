package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

// errIll is a platform with a red line.
var errIll = errors.New("something needs you: see the red lines")

func (p *program) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Look the platform over; each red line says what to do", Args: usage(cobra.NoArgs),
		Long: "Looks the platform over. Exit codes: 0 no red line, 1 a red line, 7 the panel does not answer.",
		RunE: get(p, at(api.PathDoctor), func(d api.Diagnosis) error {
			err := list(p, d, "STATE\tWHAT\tFOUND\tWHAT TO DO", d.Checks, func(x api.Check) []string {
				return []string{string(x.State), x.Name, x.Found, x.Advice}
			})
			if err != nil {
				return err
			}
			if !d.Healthy() {
				return errIll
			}
			return nil
		}),
	}
}

func (p *program) breakGlassCommand() *cobra.Command {
	return &cobra.Command{
		Use: "break-glass", Short: "Print a one-time link that lets an admin in while Keycloak is away (15 minutes, audited)",
		Args: usage(cobra.NoArgs),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, _ []string) error {
			var l api.BreakGlassLink
			if err := c.Post(ctx, api.PathBreakGlass, nil, "", &l); err != nil {
				return err
			}
			return p.answer(l, l.URL+"\n")
		}),
	}
}
