package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

func (p *program) siteCommand() *cobra.Command {
	group := &cobra.Command{Use: "site", Short: "Sites", Args: usage(cobra.NoArgs)}
	group.AddCommand(p.siteCreate(), p.siteList(), p.siteShow(), p.siteMail(),
		p.siteChange("suspend", "Close a site to visitors and stop it; its data stays"),
		p.siteChange("resume", "Open a suspended site again"),
		p.siteUpdate(),
		p.siteChange("delete", "Put a site into the bin, from which it can be restored for 30 days"),
		p.siteChange("restore", "Bring a site back from the bin"),
		p.siteChange("purge", "Destroy a site in the bin and its data, for good"))
	return group
}

// siteAnswer is a site and the operation that brought it where it is.
type siteAnswer struct {
	api.Site
	Operation string `json:"operation,omitempty"`
}

func (p *program) siteCreate() *cobra.Command {
	var wish api.NewSite
	var wait bool
	var key string
	cmd := &cobra.Command{
		Use: "create", Short: "Create a site", Args: usage(cobra.NoArgs),
		Example: "  chatiere site create --association amap --template wordpress --name \"Amap du Puy\" --host amap --wait",
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, _ []string) error {
			var op api.Operation
			if err := c.Post(ctx, api.PathSites, wish, key, &op); err != nil {
				return err
			}
			return p.follow(ctx, c, op, wait)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&wish.Association, "association", "", "the association's short name (needed)")
	f.StringVar(&wish.Template, "template", "", "template, see 'template list' (needed)")
	f.StringVar(&wish.Mode, "mode", "", "one of the template's modes, see 'template list'; its first if it is not given")
	f.StringVar(&wish.Name, "name", "", "title that visitors see (needed)")
	f.StringVar(&wish.Host, "host", "", "address: a word below the co-op's domain, or the full name (needed)")
	f.StringVar(&wish.AdminEmail, "admin-email", "", "e-mail address of the site's first account")
	f.StringVar(&key, "key", "", "idempotency key: the same wish sent twice with it is one site")
	f.BoolVar(&wait, "wait", false, "return when it is done")
	return cmd
}

func (p *program) siteUpdate() *cobra.Command {
	var mode string
	cmd := p.siteChangeWith("update", "Update a site to its template and the settings as they are now; its data stays", func() string {
		if mode == "" {
			return ""
		}
		return "?" + url.Values{"mode": {mode}}.Encode()
	})
	cmd.Flags().StringVar(&mode, "mode", "", "bring it into another of its template's modes")
	return cmd
}

func (p *program) siteChange(act, short string) *cobra.Command {
	return p.siteChangeWith(act, short, func() string { return "" })
}

// siteChangeWith asks for a change with the query that its flags make.
func (p *program) siteChangeWith(act, short string, query func() string) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use: act + " ID", Short: short, Args: usage(cobra.ExactArgs(1)),
		RunE: p.with(func(ctx context.Context, c *apiclient.Client, args []string) error {
			var op api.Operation
			if err := c.Post(ctx, api.Item(api.PathSites, args[0], act)+query(), nil, "", &op); err != nil {
				return err
			}
			return p.follow(ctx, c, op, wait)
		}),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "return when it is done")
	return cmd
}

// purgeKind is the operation after which a site can no longer be shown.
const purgeKind = "site.purge"

// follow prints the operation, or waits for it and prints the site as it then is.
func (p *program) follow(ctx context.Context, c *apiclient.Client, op api.Operation, wait bool) error {
	if !wait {
		return p.answer(op, fmt.Sprintf("operation %s: %s\n", op.ID, op.State))
	}
	op, err := p.await(ctx, c, op)
	if err != nil {
		return err
	}
	if op.Kind == purgeKind {
		return p.answer(op, "the site and its data are gone\n") // there is no site left to show
	}
	var s api.Site
	if err := c.Get(ctx, api.Item(api.PathSites, op.Site), &s); err != nil {
		return err
	}
	return p.answer(siteAnswer{s, op.ID}, fmt.Sprintf("%s  %s  %s\n", s.ID, s.State, s.URL))
}

func (p *program) siteList() *cobra.Command {
	var association, state, search string
	cmd := &cobra.Command{
		Use: "list", Short: "List sites", Args: usage(cobra.NoArgs),
		RunE: get(p, func([]string) string {
			return query(api.PathSites, map[string]string{"association": association, "state": state, "q": search})
		}, func(l api.List[api.Site]) error {
			return list(p, l, "ID\tHOST\tASSOCIATION\tTEMPLATE\tSTATE\tHEALTH", l.Items, func(s api.Site) []string {
				return []string{s.ID, s.Host, s.Association, s.Template + " " + s.Version, s.State, s.Health}
			})
		}),
	}
	cmd.Flags().StringVar(&association, "association", "", "only those of an association")
	cmd.Flags().StringVar(&state, "state", "", "only those in a state: creating, ready, suspended, binned")
	cmd.Flags().StringVar(&search, "search", "", "only those whose name or address contains this")
	return cmd
}

func (p *program) siteShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a site", Args: usage(cobra.ExactArgs(1)),
		RunE: get(p, below(api.PathSites), func(s api.Site) error {
			rows := [][]string{
				{"id", s.ID}, {"name", s.Name}, {"address", s.URL}, {"association", s.Association}, {"template", s.Template + " " + s.Version},
				{"state", s.State}, {"health", s.Health}, {"disk", strconv.FormatInt(s.DiskBytes, 10) + " bytes"},
			}
			if s.RequestsToday != nil {
				rows = append(rows, []string{"requests today", strconv.FormatInt(*s.RequestsToday, 10)})
			}
			if s.Mode != "" {
				rows = append(rows, []string{"mode", s.Mode})
			}
			if r := s.Release; r != nil {
				rows = append(rows, []string{"release", fmt.Sprintf("%d of %s: %s", r.Number, r.CreatedAt.Format(time.DateOnly), strings.Join(r.Containers, ", "))})
			}
			if s.UpdateAvailable != nil {
				rows = append(rows, []string{"update", updateOf(s)})
			}
			return p.table(s, "SITE\t", rows)
		}),
	}
}

// updateOf says what can be done about a site's image.
func updateOf(s api.Site) string {
	switch {
	case !*s.UpdateAvailable:
		return "none"
	case s.State != "ready":
		return "available once the site is in operation"
	}
	return "available: chatiere site update " + s.ID
}

func (p *program) siteMail() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "mail ID", Short: "List what became of a site's mail, the last first", Args: usage(cobra.ExactArgs(1)),
		RunE: get(p, func(args []string) string {
			return api.Item(api.PathSites, args[0], "mail") + "?limit=" + strconv.Itoa(limit)
		}, func(m api.SiteMail) error {
			return list(p, m, "ACCEPTED\tTO\tSTATE\tCAUSE\tCOUNT\tNEXT TRY\tTHE SERVER SAID", m.Items, func(r api.Mail) []string {
				next := ""
				if r.Next != nil {
					next = when(*r.Next)
				}
				return []string{when(r.Accepted), r.To, r.State, r.Cause, strconv.Itoa(r.Count), next, r.Said}
			})
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most, 1 to 1000")
	return cmd
}
