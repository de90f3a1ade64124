package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/wire"
)

// demoCommand is for "make demo" alone, so it is hidden: on a co-op's own server it would make people nobody asked for.
func (p *program) demoCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "demo", Short: "Fill an instance with the demo's associations, people and site", Args: usage(cobra.NoArgs), Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.load()
			if err != nil {
				return err
			}
			s, err := wire.Demo(cmd.Context(), c, file, func(line string) { _, _ = fmt.Fprintln(p.stderr, line) })
			if err != nil {
				return err
			}
			return p.answer(s, fmt.Sprintf("panel: %s\nas:    %s (volunteer admin), %s (manager), %s (member), %s (of another association)\nsite:  %s\n",
				s.PanelURL, s.Admin.Username, s.Manager.Username, s.Member.Username, s.Outsider.Username, s.Sites[0].URL))
		},
	}
	cmd.Flags().StringVar(&file, "summary", ".demo/summary.json", "where the passwords go, for you alone to read")
	return cmd
}
