package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

func (p *program) egressCommand() *cobra.Command {
	group := &cobra.Command{Use: "egress", Short: "What sites may reach, and tried to", Args: usage(cobra.NoArgs)}
	group.AddCommand(p.egressShow(), p.egressTries(), p.egressAsked(), p.egressAsk(),
		p.egressDecide("grant", "Open to a site what was asked for"),
		p.egressDecide("refuse", "Refuse what was asked for"),
		p.egressDecide("revoke", "Close to a site what was granted"))
	return group
}

func portList(ports []int) string {
	texts := make([]string, len(ports))
	for i, port := range ports {
		texts[i] = strconv.Itoa(port)
	}
	return strings.Join(texts, ",")
}

func (p *program) egressShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SITE", Short: "List what a site may reach", Args: usage(cobra.ExactArgs(1)),
		RunE: get(p, below(api.PathSites, "egress"), func(e api.Egress) error {
			return list(p, e, "NAME\tPORTS\tFROM", e.Allowed, func(a api.Reachable) []string { return []string{a.Name, portList(a.Ports), a.From} })
		}),
	}
}

func (p *program) egressTries() *cobra.Command {
	var days int
	cmd := &cobra.Command{
		Use: "tries SITE", Short: "List what a site tried to reach", Args: usage(cobra.ExactArgs(1)),
		RunE: get(p, func(args []string) string {
			return api.Item(api.PathSites, args[0], "egress", "tries") + "?days=" + strconv.Itoa(days)
		}, func(l api.List[api.Try]) error {
			return list(p, l, "NAME\tPORT\tDECISION\tTRIES\tBYTES\tLAST\tREASON", l.Items, func(t api.Try) []string {
				port := strconv.Itoa(t.Port)
				if t.Port == 0 {
					port = "*"
				}
				return []string{
					cmp.Or(t.Name, "(others)"), port, t.Decision, strconv.FormatInt(t.Count, 10), strconv.FormatInt(t.Sent+t.Received, 10), when(t.Last), t.Reason,
				}
			})
		}),
	}
	cmd.Flags().IntVar(&days, "days", 7, "how many days back, 1 to 30")
	return cmd
}

func (p *program) egressAsked() *cobra.Command {
	return &cobra.Command{
		Use: "asked", Short: "List what waits for a decision", Args: usage(cobra.NoArgs),
		RunE: get(p, at(api.PathAccess), func(l api.List[api.Access]) error {
			return list(p, l, "SITE\tID\tNAME\tPORTS\tASKED BY\tAT\tREASON", l.Items, func(a api.Access) []string {
				return []string{a.Site, a.ID, a.Name, portList(a.Ports), a.AskedBy, when(a.AskedAt), a.Reason}
			})
		}),
	}
}

func (p *program) egressAsk() *cobra.Command {
	var wish api.NewAccess
	cmd := &cobra.Command{
		Use: "ask SITE NAME", Short: "Ask that a site may reach a name", Args: usage(cobra.ExactArgs(2)),
		Example: "  chatiere egress ask s7k2m9qx4p api.example.org --ports 443 --reason \"the map on the front page\"",
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			wish.Name = args[1]
			var a api.Access
			if err := c.Post(ctx, api.Item(api.PathSites, args[0], "egress", "access"), wish, "", &a); err != nil {
				return err
			}
			return p.answer(a, accessLine(a))
		}),
	}
	cmd.Flags().IntSliceVar(&wish.Ports, "ports", []int{443}, "ports, with commas between them")
	cmd.Flags().StringVar(&wish.Reason, "reason", "", "what it is for (needed)")
	return cmd
}

func (p *program) egressDecide(act, short string) *cobra.Command {
	var said api.Verdict
	cmd := &cobra.Command{
		Use: act + " SITE ID", Short: short, Args: usage(cobra.ExactArgs(2)),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			var a api.Access
			path := api.Item(api.PathSites, args[0], "egress", "access", url.PathEscape(args[1]), act)
			if err := c.Post(ctx, path, said, "", &a); err != nil {
				return err
			}
			return p.answer(a, accessLine(a))
		}),
	}
	cmd.Flags().StringVar(&said.Answer, "answer", "", "what the asker is told")
	return cmd
}

func accessLine(a api.Access) string {
	return fmt.Sprintf("%s  %s  %s:%s\n", a.ID, a.State, a.Name, portList(a.Ports))
}
