package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

func (p *program) associationCommand() *cobra.Command {
	group := &cobra.Command{Use: "association", Short: "Associations", Args: usage(cobra.NoArgs)}
	group.AddCommand(p.associationCreate(), p.associationList(), p.associationShow())
	return group
}

func (p *program) associationCreate() *cobra.Command {
	var wish api.NewAssociation
	var wait bool
	cmd := &cobra.Command{
		Use: "create", Short: "Create an association and its groups", Args: usage(cobra.NoArgs),
		Example: "  chatiere association create --name \"Amap du Puy\" --wait",
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, _ []string) error {
			var op api.Operation
			if err := c.Post(ctx, api.PathAssociations, wish, "", &op); err != nil {
				return err
			}
			if !wait {
				return p.answer(op, fmt.Sprintf("%s is being created: operation %s\n", op.Association, op.ID))
			}
			op, err := p.await(ctx, c, op)
			if err != nil {
				return err
			}
			return p.showAssociation(ctx, c, op.Association)
		}),
	}
	cmd.Flags().StringVar(&wish.Name, "name", "", "name, as its members write it (needed)")
	cmd.Flags().StringVar(&wish.Slug, "slug", "", "short name for addresses and groups, for good (default: from the name)")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when it is done")
	return cmd
}

func (p *program) associationList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List associations", Args: usage(cobra.NoArgs),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, _ []string) error {
			var l api.List[api.Association]
			if err := c.Get(ctx, api.PathAssociations, &l); err != nil {
				return err
			}
			var rows [][]string
			for _, a := range l.Items {
				rows = append(rows, []string{a.Slug, a.Name, a.State})
			}
			return p.table(l, "SLUG\tNAME\tSTATE", rows)
		}),
	}
}

func (p *program) associationShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SLUG", Short: "Show an association", Args: usage(cobra.ExactArgs(1)),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			return p.showAssociation(ctx, c, args[0])
		}),
	}
}

func (p *program) showAssociation(ctx context.Context, c *apiclient.Client, slug string) error {
	var a api.Association
	if err := c.Get(ctx, api.Item(api.PathAssociations, slug), &a); err != nil {
		return err
	}
	return p.answer(a, fmt.Sprintf("%s  %s  %s\n", a.Slug, a.Name, a.State))
}
