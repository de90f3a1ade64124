package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
	"chatiere/tenants/audit"
)

// errTampered is a trail that is not what it was.
var errTampered = errors.New("the audit trail was changed")

func (p *program) auditCommand() *cobra.Command {
	group := &cobra.Command{Use: "audit", Short: "Who did what: the audit trail", Args: usage(cobra.NoArgs)}
	group.AddCommand(p.auditVerify(), p.auditList())
	return group
}

func (p *program) auditVerify() *cobra.Command {
	var heads string
	cmd := &cobra.Command{
		Use: "verify", Short: "Look whether a row of the audit trail was changed or removed; names the first", Args: usage(cobra.NoArgs),
		Long: "Goes through the whole audit trail on the server (as root) and compares it with the heads below its data root, and with a file of heads that was kept elsewhere.\n\nExit codes: 0 whole, 1 something was changed or removed, 7 the worker does not answer.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := p.verify(cmd.Context(), heads)
			if err != nil {
				return err
			}
			if err := p.answer(report, renderReport(report)); err != nil {
				return err
			}
			if !report.Intact() {
				return errTampered
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&heads, "heads", "", "file of heads kept elsewhere, one a line, as doctor prints them (- for standard input)")
	return cmd
}

func (p *program) verify(ctx context.Context, heads string) (report audit.Report, err error) {
	var text []byte
	switch heads {
	case "":
	case "-":
		text, err = io.ReadAll(p.stdin)
	default:
		text, err = os.ReadFile(heads)
	}
	if err != nil {
		return report, fmt.Errorf("reading the heads: %w", err)
	}
	worker, err := apiclient.FindWorker(p.place())
	if err != nil {
		return report, err
	}
	return worker.VerifyAudit(ctx, text)
}

// renderReport renders a report as text, the first fault first.
func renderReport(r audit.Report) string {
	var b strings.Builder
	for _, f := range r.Faults {
		_, _ = fmt.Fprintf(&b, "%s\n", faultLine(f))
	}
	if r.Cropped {
		b.WriteString("… and more\n")
	}
	if r.Intact() {
		_, _ = fmt.Fprintf(&b, "whole: %d rows, from %s to %s, compared with %d heads\n", r.Rows, when(r.Oldest), when(r.Newest), r.Heads)
	}
	if r.Waiting > 0 {
		_, _ = fmt.Fprintf(&b, "%d rows wait for their seal\n", r.Waiting)
	}
	if r.Last != nil {
		_, _ = fmt.Fprintf(&b, "last seal: %s\n", r.Last)
	}
	return b.String()
}

func faultLine(f audit.Fault) string {
	at := when(f.At)
	switch f.Kind {
	case audit.Changed:
		return fmt.Sprintf("row %d of %s was changed", f.ID, at)
	case audit.Removed:
		return fmt.Sprintf("row %d was removed (about %s)", f.ID, at)
	case audit.Cut:
		return fmt.Sprintf("the rows after row %d of %s were removed; a head knows more: %s", f.ID, at, f.Upto)
	case audit.Rewritten:
		return fmt.Sprintf("the chain was made anew: row %d of %s, or one after it up to this head, was changed or removed: %s", f.ID, at, f.Upto)
	case audit.Inserted:
		return fmt.Sprintf("row %d, which says %s, was put between older ones", f.ID, at)
	case audit.Beginning:
		return fmt.Sprintf("the rows up to row %d of %s were removed, and not because of their age", f.ID, at)
	}
	return fmt.Sprintf("%s: row %d of %s", f.Kind, f.ID, at)
}

func (p *program) auditList() *cobra.Command {
	var f struct{ association, person, act, from, to, before string }
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List the audit trail, newest first", Args: usage(cobra.NoArgs),
		RunE: get(p, func([]string) string {
			return query(api.PathAudit, map[string]string{
				"association": f.association, "person": f.person, "act": f.act, "from": f.from, "to": f.to, "before": f.before, "limit": fmt.Sprint(limit),
			})
		}, func(l api.AuditPage) error {
			err := list(p, l, "ID\tWHEN\tWHO\tAS\tACT\tABOUT", l.Items, func(e api.AuditEntry) []string {
				about := strings.TrimSpace(strings.Join([]string{e.Association, e.Site, e.Detail}, " "))
				return []string{fmt.Sprint(e.ID), when(e.At), cmp.Or(e.Name, e.Kind), e.Kind, e.Act, about}
			})
			if err != nil {
				return err
			}
			if l.Next != "" && !p.json {
				_, _ = fmt.Fprintf(p.stderr, "there is more: --before %s\n", l.Next)
			}
			return nil
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.association, "association", "", "its slug")
	flags.StringVar(&f.person, "person", "", "the name that acted")
	flags.StringVar(&f.act, "act", "", "such as site.create or session.open")
	flags.StringVar(&f.from, "from", "", "day, "+time.DateOnly)
	flags.StringVar(&f.to, "to", "", "day, that one included")
	flags.StringVar(&f.before, "before", "", "what the page before said")
	flags.IntVar(&limit, "limit", 100, "rows, at most 1000")
	return cmd
}
