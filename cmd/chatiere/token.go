package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

func (p *program) tokenCommand() *cobra.Command {
	group := &cobra.Command{Use: "token", Short: "API tokens", Args: usage(cobra.NoArgs)}
	group.AddCommand(p.tokenCreate(), p.tokenList(), p.tokenRevoke())
	return group
}

func (p *program) tokenCreate() *cobra.Command {
	var wish api.NewToken
	cmd := &cobra.Command{
		Use: "create", Short: "Create a token; its secret is shown this once", Args: usage(cobra.NoArgs),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, _ []string) error {
			var t api.CreatedToken
			if err := c.Post(ctx, api.PathTokens, wish, "", &t); err != nil {
				return err
			}
			return p.answer(t, t.Secret+"\n")
		}),
	}
	cmd.Flags().StringVar(&wish.Label, "label", "", "what it is for (needed)")
	cmd.Flags().StringVar(&wish.Scope, "scope", "read", "read or write")
	cmd.Flags().IntVar(&wish.Days, "days", 90, "days until it ends, 1 to 366")
	return cmd
}

func (p *program) tokenList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List tokens", Args: usage(cobra.NoArgs),
		RunE: get(p, at(api.PathTokens), func(l api.List[api.Token]) error {
			return list(p, l, "ID\tLABEL\tSCOPE\tMAKER\tENDS", l.Items, func(t api.Token) []string {
				ends := "never"
				if t.ExpiresAt != nil {
					ends = when(*t.ExpiresAt)
				}
				return []string{t.ID, t.Label, t.Scope, t.Maker, ends}
			})
		}),
	}
}

func (p *program) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke a token", Args: usage(cobra.ExactArgs(1)),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			if err := c.Delete(ctx, api.Item(api.PathTokens, args[0])); err != nil {
				return err
			}
			return p.answer(map[string]string{"revoked": args[0]}, fmt.Sprintf("%s is revoked\n", args[0]))
		}),
	}
}
