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
			var a api.Association
			if err := c.Get(ctx, api.Item(api.PathAssociations, op.Association), &a); err != nil {
				return err
			}
			return p.showAssociation(a)
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
		RunE: get(p, at(api.PathAssociations), func(l api.List[api.Association]) error {
			return list(p, l, "SLUG\tNAME\tSTATE", l.Items, func(a api.Association) []string { return []string{a.Slug, a.Name, a.State} })
		}),
	}
}

func (p *program) associationShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SLUG", Short: "Show an association", Args: usage(cobra.ExactArgs(1)),
		RunE: get(p, below(api.PathAssociations), p.showAssociation),
	}
}

func (p *program) showAssociation(a api.Association) error {
	return p.answer(a, fmt.Sprintf("%s  %s  %s\n", a.Slug, a.Name, a.State))
}
