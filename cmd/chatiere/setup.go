package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/setup"
)

func (p *program) setupCommand() *cobra.Command {
	var o setup.Options
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make or mend a data root: directories, configuration, secrets, certificates",
		Long: "Makes everything below the data root that the platform needs to start. It may be repeated at any time: what is\n" +
			"there is kept, and chatiere.yaml is never changed. Needs root. Exit codes: 0 done, 1 failed, 2 wrong usage,\n" +
			"3 the configuration has faults or contradicts a flag.",
		Example: "  chatiere setup --instance lilas --domain lilas-sites.example --panel-domain lilas.example \\\n" +
			"      --coop-name \"Coop des Lilas\"",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.setup(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Root, "root", "", "data root (default /var/lib/chatiere)")
	f.StringVar(&o.Instance, "instance", "", "short name of this installation (default main)")
	f.StringVar(&o.Domain, "domain", "", "domain below which sites live; needed the first time")
	f.StringVar(&o.PanelDomain, "panel-domain", "", "domain of the panel and the sign-in; should be another registrable name than --domain (default: the same domain)")
	f.StringVar(&o.Language, "language", "", "fr or en (default fr)")
	f.StringVar(&o.CoopName, "coop-name", "", "name of the co-op")
	f.StringVar(&o.Contact, "coop-contact", "", "e-mail address for people who are stuck")
	f.IntVar(&o.HTTPSPort, "https-port", 0, "port the proxy listens on (default 443)")
	f.IntVar(&o.HTTPPort, "http-port", 0, "port that only leads to https (default 80)")
	f.IntVar(&o.PublicPort, "public-port", 0, "port in public addresses, if another one leads here")
	f.StringToStringVar(&o.Images, "image", nil, "image of a container, e.g. mariadb=chatiere/mariadb:1 (chatiere, mariadb, keycloak)")
	return cmd
}

func (p *program) setup(ctx context.Context, o setup.Options) error {
	report, err := setup.Run(ctx, o, setup.Tools{
		Environ: p.env, Clock: time.Now, Random: rand.Reader,
		Progress: func(line string) { _, _ = fmt.Fprintln(p.stderr, line) },
	})
	if errors.Is(err, setup.ErrDiffers) {
		return configError{err}
	}
	if err != nil {
		return err
	}
	return p.answer(report, fmt.Sprintf("%s is ready: %d change(s). The panel will be at %s\n", report.Root, len(report.Changed), report.PanelURL))
}

// configError makes an error end with exitConfig.
type configError struct{ error }

// Unwrap gives the cause.
func (e configError) Unwrap() error { return e.error }
