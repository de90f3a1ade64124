package main

import (
	"context"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"chatiere/backups/process"
	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

func (p *program) backupCommand() *cobra.Command {
	group := &cobra.Command{Use: "backup", Short: "Backups of sites", Args: usage(cobra.NoArgs)}
	group.AddCommand(p.backupRun(), p.backupList(), p.backupRestore())
	return group
}

func (p *program) backupRun() *cobra.Command {
	return p.backupAsk("run SITE", "Save a site's files and database now", 1, func(args []string) string {
		return api.Item(api.PathSites, args[0], "backups")
	})
}

func (p *program) backupRestore() *cobra.Command {
	return p.backupAsk("restore SITE BACKUP", "Bring a site back to the state of a backup; the present one is saved first", 2, func(args []string) string {
		return api.Item(api.PathSites, args[0], "backups", url.PathEscape(args[1]), "restore")
	})
}

// backupAsk is a command that asks for an operation on a site.
func (p *program) backupAsk(use, short string, n int, path func(args []string) string) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: usage(cobra.ExactArgs(n)),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			var op api.Operation
			if err := c.Post(ctx, path(args), nil, "", &op); err != nil {
				return err
			}
			return p.follow(ctx, c, op, wait)
		}),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "return when it is done")
	return cmd
}

func (p *program) backupList() *cobra.Command {
	return &cobra.Command{
		Use: "list SITE", Short: "List the backups of a site, the latest first", Args: usage(cobra.ExactArgs(1)),
		RunE: get(p, func(args []string) string { return api.Item(api.PathSites, args[0], "backups") }, func(l api.List[api.Snapshot]) error {
			return list(p, l, "BACKUP\tTAKEN\tREASON\tFILES\tBYTES\tMISSING", l.Items, func(s api.Snapshot) []string {
				return []string{
					s.ID, when(s.TakenAt), s.Reason, strconv.FormatInt(s.Files, 10), strconv.FormatInt(s.Bytes, 10),
					strconv.FormatInt(s.MissingCount, 10),
				}
			})
		}),
	}
}

// backupProcess is what the worker starts to work on a repository. It is hidden: nobody can speak its protocol by hand.
func backupProcess() *cobra.Command {
	return &cobra.Command{
		Use: "backup-process", Short: "Work on a repository of backups, for the worker", Args: usage(cobra.NoArgs), Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			os.Exit(process.Serve(os.Stdin, os.Stdout))
			return nil
		},
	}
}
