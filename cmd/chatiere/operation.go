package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

func (p *program) operationCommand() *cobra.Command {
	group := &cobra.Command{Use: "operation", Short: "Operations: the long work, past and present", Args: usage(cobra.NoArgs)}
	group.AddCommand(p.operationList(), p.operationShow(), p.operationWatch(),
		p.operationAct("cancel", "Stop an operation and take back what it did so far"),
		p.operationAct("retry", "Set an operation going again that needs a person"))
	return group
}

func (p *program) operationList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List operations, newest first", Args: usage(cobra.NoArgs),
		RunE: get(p, at(api.PathOperations), func(l api.List[api.Operation]) error {
			return list(p, l, "ID\tKIND\tSTATE\tSTEPS\tSITE\tCREATED\tBY", l.Items, func(o api.Operation) []string {
				return []string{o.ID, o.Kind, o.State, strconv.Itoa(o.Done) + "/" + strconv.Itoa(o.Total), o.Site, when(o.CreatedAt), o.CreatedBy}
			})
		}),
	}
}

func (p *program) operationShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show an operation and its steps", Args: usage(cobra.ExactArgs(1)),
		RunE: get(p, below(api.PathOperations), p.showOperation),
	}
}

func (p *program) showOperation(op api.Operation) error {
	header := fmt.Sprintf("%s  %s  %s %s\nSTEP\tSTATE\tFAILURES", op.ID, op.Kind, op.State, op.Problem)
	return list(p, op, header, op.Steps, func(s api.Step) []string { return []string{s.Name, s.State, strconv.Itoa(s.Attempt)} })
}

func (p *program) operationWatch() *cobra.Command {
	return &cobra.Command{
		Use: "watch ID", Short: "Follow an operation to its end", Args: usage(cobra.ExactArgs(1)),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			var op api.Operation
			if err := c.Get(ctx, api.Item(api.PathOperations, args[0]), &op); err != nil {
				return err
			}
			op, err := p.await(ctx, c, op)
			if err != nil {
				return err
			}
			return p.showOperation(op)
		}),
	}
}

func (p *program) operationAct(act, short string) *cobra.Command {
	return &cobra.Command{
		Use: act + " ID", Short: short, Args: usage(cobra.ExactArgs(1)),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			if err := c.Post(ctx, api.Item(api.PathOperations, args[0], act), nil, "", nil); err != nil {
				return err
			}
			var op api.Operation
			if err := c.Get(ctx, api.Item(api.PathOperations, args[0]), &op); err != nil {
				return err
			}
			return p.answer(op, fmt.Sprintf("operation %s: %s\n", op.ID, op.State))
		}),
	}
}
